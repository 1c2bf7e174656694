"""Carries the write-ahead log into the file, aside from the commits: what made the tail of latency in measurements.

A connection and a thread of its own copy what is committed (PASSIVE: waits for nobody). Under steady writing the log would never be
whole in the file and so never start over; therefore the writer copies the short rest between two commits, once the long part is done.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from isthmus.journals.sqlite.schema import PAGE_BYTES, connect

LOG_BYTES = 32 << 20
"""From this length of the log on a checkpoint is worth its two syncs: pages that were written often are carried over once."""

_HEADER, _FRAME = 32, 24 + PAGE_BYTES
_SALTS_OF_LOG, _SALTS_OF_FRAME, _SALTS = 16, 8, 8


class Checkpointer:
    def __init__(self, path: Path, finish: Callable[[], None]) -> None:
        """``finish`` is called from the checkpointer's thread when all but the newest is copied."""
        self._path = path
        self._log = LogLength(path.with_name(path.name + "-wal"))
        self._finish = finish
        self._wanted = threading.Event()
        self._ends = False
        self._busy = False
        self._thread = threading.Thread(target=self._work, name="isthmus-journal-checkpointer", daemon=True)
        self._thread.start()

    def after_commit(self) -> None:
        """Called by the writer; costs two short reads."""
        if not self._busy and self._log.is_beyond(LOG_BYTES):
            self._busy = True
            self._wanted.set()

    def copy_now(self) -> None:
        """On the caller's thread."""
        connection = connect(self._path)
        try:
            copy(connection)
        finally:
            connection.close()

    def finished(self) -> None:
        self._busy = False

    def close(self) -> None:
        self._ends = True
        self._wanted.set()
        self._thread.join()
        self._log.close()

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


class LogLength:
    """How long the log is. Its file tells little: it keeps its size when the log starts over, and is then written from the front.

    The log's header and each frame of the present log carry the same two salts, and a frame left from before carries others
    (sqlite.org/fileformat2.html, 4.1): one look at the frame in question is enough. No lock of SQLite lies on this file, so it may
    be opened and closed beside it.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._file: FileIO | None = None

    def is_beyond(self, length: int) -> bool:
        salts = self._salts(_SALTS_OF_LOG)
        return len(salts) == _SALTS and self._salts(_HEADER + length // _FRAME * _FRAME + _SALTS_OF_FRAME) == salts

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _salts(self, place: int) -> bytes:
        if self._file is None:
            with suppress(FileNotFoundError):
                self._file = FileIO(self._log)
        if self._file is None:
            return b""
        self._file.seek(place)
        return self._file.read(_SALTS)


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
