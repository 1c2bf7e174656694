"""Connections that only read, each in a thread of its own: archive queries never wait for the writer, nor it for them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.schema import connect_to_read
from isthmus.journals.sqlite.session import Known, Session, nothing_known

T = TypeVar("T")

QUICK = 0.002
"""Seconds: what took longer than that goes to a thread the next time, so that no sender waits for it."""


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
        self._ours: Session | None = None
        """For the event loop's own thread."""
        self._took: dict[str, float] = {}
        """Seconds that each of the loops' reads took the last time."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="isthmus-journal-reader", initializer=self._connect)

    async def do(self, read: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, read)

    async def at_hand(self, name: str, read: Callable[[Session], T]) -> T:
        """What a loop reads again and again: in this thread for as long as that is quick, for what was just written is in memory, and a
        hop to another thread and back costs more than to look at it. ``name`` tells such reads apart.
        """
        begun = time.perf_counter()
        if self._took.get(name, 0.0) > QUICK:
            result = await self.do(read)
        else:
            if self._ours is None:
                self._ours = self._connected()
            result = self._within(self._ours, read)
        self._took[name] = time.perf_counter() - begun
        return result

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    def _connect(self) -> None:
        self._local.session = self._connected()

    def _connected(self) -> Session:
        connection = connect_to_read(self._path)
        self._connections.append(connection)
        return Session(connection, self._keyring, *(self._known or nothing_known()))

    def _read(self, read: Callable[[Session], T]) -> T:
        session: Session = self._local.session
        return self._within(session, read)

    def _within(self, session: Session, read: Callable[[Session], T]) -> T:
        """In one transaction, so that a story is of one moment."""
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
