"""Connections that only read, each in a thread of its own: archive queries never wait for the writer, nor it for them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.schema import connect_to_read
from isthmus.journals.sqlite.session import Known, Session, nothing_known

T = TypeVar("T")


class Readers:
    """A small pool. Each read sees everything that was committed before it began.

    ``known``: what the writer of the same process has in memory; None where another process writes: then each read loads what is in
    no run yet.
    """

    def __init__(self, path: Path, keyring: Keyring, known: Known | None, threads: int) -> None:
        self._path = path
        self._keyring = keyring
        self._known = known
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="isthmus-journal-reader", initializer=self._connect)

    async def do(self, read: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, read)

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    def _connect(self) -> None:
        connection = connect_to_read(self._path)
        self._connections.append(connection)
        self._local.session = Session(connection, self._keyring, *(self._known or nothing_known()))

    def _read(self, read: Callable[[Session], T]) -> T:
        """In one transaction, so that a story is of one moment."""
        session: Session = self._local.session
        session.connection.execute("BEGIN")
        try:
            if self._known is None:
                self._catch_up(session)
            return read(session)
        finally:
            session.connection.execute("COMMIT")

    def _catch_up(self, session: Session) -> None:
        """Read again what is fresh, where another process has committed since this thread looked last."""
        version = session.connection.execute("PRAGMA data_version").fetchone()[0]
        if version != getattr(self._local, "version", None):
            session.load_fresh()
            self._local.version = version
