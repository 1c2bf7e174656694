"""Carries the write-ahead log into the file, aside from the commits: what made the tail of latency in measurements.

A connection and a thread of its own copy what is committed (PASSIVE: waits for nobody). Under steady writing the log would never be
whole in the file and so never start over; therefore the writer copies the short rest between two commits, once the long part is done.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from isthmus.journals.sqlite.schema import connect

LOG_BYTES = 16 << 20
"""From this size of the log on a checkpoint is worth its two syncs."""


class Checkpointer:
    def __init__(self, path: Path, finish: Callable[[], None]) -> None:
        """``finish`` is called from the checkpointer's thread when all but the newest is copied."""
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._finish = finish
        self._wanted = threading.Event()
        self._ends = False
        self._busy = False
        self._thread = threading.Thread(target=self._work, name="isthmus-journal-checkpointer", daemon=True)
        self._thread.start()

    def after_commit(self) -> None:
        """Called by the writer; costs one look at a file's size."""
        if not self._busy and log_size(self._log) > LOG_BYTES:
            self._busy = True
            self._wanted.set()

    def finished(self) -> None:
        self._busy = False

    def close(self) -> None:
        self._ends = True
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        connection = connect(self._path)
        try:
            while True:
                self._wanted.wait()
                self._wanted.clear()
                if self._ends:
                    return
                copy(connection)
                self._finish()
        finally:
            connection.close()


def copy(connection: sqlite3.Connection) -> None:
    """Copy what no reader needs any more.

    An error here loses nothing and is told to nobody: the log keeps everything, the next round tries again, and where the disk is
    full or broken, the commits that follow say so.
    """
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def log_size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0
