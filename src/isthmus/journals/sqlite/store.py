"""The open file: its lock, writer, readers and tidier, built and taken down in the right order."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from isthmus.core.failure import Rejected
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.checkpointer import log_size
from isthmus.journals.sqlite.lock import WriterLock
from isthmus.journals.sqlite.readers import Readers
from isthmus.journals.sqlite.schema import BUSY_SECONDS, connect, migrate
from isthmus.journals.sqlite.session import Session, nothing_known
from isthmus.journals.sqlite.tidier import Tidier
from isthmus.journals.sqlite.writer import Writer

READERS = 2
PAGES = 48
"""Pages given back in one go: a millisecond or two of the writer."""


class Store:
    """Built by :meth:`open`, which blocks and so runs in a thread."""

    def __init__(self, path: Path, lock: WriterLock, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._lock = lock
        self._session = session
        self._loop = loop
        self.writer = Writer(session, loop)
        self.readers = Readers(path, session.keyring, (session.fresh, session.sieves, session.recent), READERS)
        self._tidier = Tidier(path, session, self.writer, self.readers, loop)
        self.writer.start(self._tidier.after_commit)

    @classmethod
    def open(cls, path: Path, keyring: Keyring, loop: asyncio.AbstractEventLoop) -> Store:
        """Raises ``Rejected`` with the cure: in use, newer, foreign, sealed with another ring, no such place."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = WriterLock(path)
        lock.take()
        try:
            connection = connect(path)
            try:
                migrate(connection, path)
                session = Session(connection, keyring, *nothing_known(), writes=True)
                same_ring(session, path)
                return cls(path, lock, session, loop)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            lock.give()
            raise Rejected("journal-unreadable", f"{path} cannot be opened ({error}): check its path, owner and file system") from error
        except BaseException:
            lock.give()
            raise

    def begin(self) -> None:
        """On the event loop, after ``open``."""
        self._tidier.start()

    async def end(self) -> None:
        """On the event loop, before ``close`` in a thread."""
        await self._tidier.end()

    def close(self) -> None:
        """What waits is finished; the log is carried into the file, so that what lies there is one whole file."""
        self.writer.close()
        self._tidier.close()
        self.readers.close()
        self._session.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._session.connection.close()
        self._lock.give()

    def size(self) -> int:
        return file_size(self._path)

    async def give_space_back(self) -> None:
        """Free pages leave the file in slices, each in a commit with others' work. The file shrinks when the log is carried over: the
        long part aside, the rest between two commits.
        """
        while await self.writer.do(_vacuum):
            pass
        await self._loop.run_in_executor(None, self._tidier.checkpoint)
        await self.writer.do(_cut_log, alone=True)


def _vacuum(session: Session) -> bool:
    """Whether there is more to do."""
    session.connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
    free: int = session.connection.execute("PRAGMA freelist_count").fetchone()[0]
    return free > 0


def _cut_log(session: Session) -> None:
    """Unless a reader still needs it: nobody waits for that, the next checkpoint does the same."""
    execute = session.connection.execute
    execute("PRAGMA busy_timeout = 0")
    try:
        execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def file_size(path: Path) -> int:
    """Bytes of the journal's file and of those beside it."""
    return sum(log_size(path.with_name(path.name + suffix)) for suffix in ("", "-wal", "-shm"))


def same_ring(session: Session, path: Path) -> None:
    """Raises ``Rejected`` where the file was sealed with another ring; a file without one takes this."""
    row = session.row("ring")
    if row is None:
        session.run("keep_ring", session.keyring.id)
    elif row[0] != session.keyring.id:
        raise Rejected(
            "keyring-other",
            f"{path} was sealed with key ring {row[0]}, not with {session.keyring.id}: put back that ring's files from their backup; "
            "without them nothing in this journal can be read",
        )
