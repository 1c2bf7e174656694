"""One writer a file: the lock that a second process runs into, instead of two of them writing one journal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from isthmus.core.failure import Rejected

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class WriterLock:
    """Held from ``take`` to ``give``; the operating system gives it back when the process dies.

    It lies in a file beside the journal, not on the journal: closing any handle of a file drops SQLite's own locks on it
    (sqlite.org/howtocorrupt.html, 2.2).
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(journal.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises ``Rejected`` where another process (or another journal of this process) writes the same file."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise Rejected(
                "journal-in-use",
                f"{self._path} is held by process {holder or 'unknown'}: a SQLite journal has one writer. Stop the other process, "
                "or use the PostgreSQL journal for several nodes",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def give(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    if sys.platform == "win32":
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
