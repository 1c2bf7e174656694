"""The one thread that writes, with group commit: what arrives while a commit is under way is the next commit.

Operations are functions of a session. The thread takes all that wait, runs each in a savepoint of its own inside one transaction,
commits (one fsync for all of them), and wakes the event loop once. An operation that fails takes back only itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from isthmus.core.failure import Bug, Rejected, Transient
from isthmus.journals.sqlite.session import Session

T = TypeVar("T")

MOST = 256
"""Operations in one transaction."""


class _Operation(NamedTuple):
    run: Callable[[Session], Any]
    future: asyncio.Future[Any]
    alone: bool
    """Outside of any transaction: pragmas."""


_Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]


class Writer:
    """Lives from ``open`` to ``close`` of its journal; ``commits`` counts its transactions."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop
        self._after_commit: Callable[[], None] = lambda: None
        self._queue: SimpleQueue[_Operation | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="isthmus-journal-writer", daemon=True)
        self._closed = False
        self.commits = 0
        session.load()

    def start(self, after_commit: Callable[[], None]) -> None:
        self._after_commit = after_commit
        self._thread.start()

    async def do(self, run: Callable[[Session], T], *, alone: bool = False) -> T:
        """Done and durable when it returns."""
        if self._closed:
            raise closed()
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Operation(run, future, alone))
        return await future

    def close(self) -> None:
        """Finish what waits, then end. Blocks; not for the event loop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        left: list[_Outcome] = []
        with suppress(Empty):
            while one := self._queue.get_nowait():
                left.append((one.future, None, closed()))
        self._tell(left)

    def _work(self) -> None:
        held: _Operation | None = None
        while True:
            first = held or self._queue.get()
            held = None
            if first is None:
                return
            if first.alone:
                self._tell([self._alone(first)])
                continue
            batch = [first]
            ends = False
            while len(batch) < MOST:
                try:
                    following = self._queue.get_nowait()
                except Empty:
                    break
                if following is None:
                    ends = True
                    break
                if following.alone:
                    held = following
                    break
                batch.append(following)
            self._tell(self._commit(batch))
            del first, batch  # a message of 100 MB must not stay in memory while this waits for the next
            self._after_commit()
            if ends:
                return

    def _commit(self, batch: Sequence[_Operation]) -> list[_Outcome]:
        execute = self._session.connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            outcomes = [self._run(one) for one in batch]
            self._session.finish()
            execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - a thread must not end silently: whoever waits is told
            failure = _failure(error)
            self._session.ended()
            self._undo("ROLLBACK")
            return [(one.future, None, failure) for one in batch]
        self._session.ended()
        self.commits += 1
        return outcomes

    def _run(self, one: _Operation) -> _Outcome:
        execute = self._session.connection.execute
        execute("SAVEPOINT one")
        try:
            result = one.run(self._session)
            self._session.flush()
        except BaseException as error:  # noqa: BLE001 - told to the one who asked for it; the others' work goes on
            self._undo("ROLLBACK TO one")
            execute("RELEASE one")
            return one.future, None, _failure(error)
        execute("RELEASE one")
        return one.future, result, None

    def _alone(self, one: _Operation) -> _Outcome:
        try:
            return one.future, one.run(self._session), None
        except BaseException as error:  # noqa: BLE001 - as above
            return one.future, None, _failure(error)

    def _undo(self, statement: str) -> None:
        """What the session remembers of shelves may just have been taken back with it: read it again."""
        if self._session.connection.in_transaction:
            self._session.connection.execute(statement)
        self._session.load()

    def _tell(self, outcomes: list[_Outcome]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_wake, outcomes)


def closed() -> Bug:
    return Bug("journal-closed", "the journal is closed: open it before use, and close it last")


def _wake(outcomes: list[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue  # its caller was cancelled
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _failure(error: BaseException) -> BaseException:
    """SQLite's errors as failures; their texts name tables and columns, never values."""
    if isinstance(error, sqlite3.IntegrityError):
        return Bug("journal-integrity", f"the journal's own rules forbid this write ({error}): report it")
    if isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorname", "") in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return Rejected("journal-damaged", f"the journal's file is damaged ({error}): stop, keep a copy, restore from the backup")
    if isinstance(error, sqlite3.Error):
        return Transient("journal-unavailable", f"the journal could not be written ({error}): check the disk's space and health")
    return error
