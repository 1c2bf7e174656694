"""The file, opened beside the process that writes it: for commands that look. Takes no lock, migrates nothing, writes nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NoReturn, TypeVar

from isthmus.core.failure import Rejected
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.readers import Readers
from isthmus.journals.sqlite.schema import connect_to_read
from isthmus.journals.sqlite.session import Session, nothing_known
from isthmus.journals.sqlite.store import file_size, same_ring

T = TypeVar("T")


class NoWriter:
    """Stands where the writer would be, and says no."""

    commits = 0

    async def do(self, run: Callable[[Session], T], *, alone: bool = False) -> T:  # noqa: ARG002 - the writer's signature
        _refuse()


class Reading:
    """What :class:`~isthmus.journals.sqlite.store.Store` offers, for reading."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._path = path
        self.readers = Readers(path, keyring, None, 1)
        self.writer = NoWriter()

    @classmethod
    def open(cls, path: Path, keyring: Keyring, _loop: asyncio.AbstractEventLoop) -> Reading:
        """Raises ``Rejected`` with the cure: not there, of another release, sealed with another ring."""
        if not path.exists():
            raise Rejected("journal-missing", f"there is no journal {path}: nothing has run here yet, or it lies elsewhere (--data)")
        try:
            connection = connect_to_read(path)
            try:
                _same_schema(connection, path)
                same_ring(Session(connection, keyring, *nothing_known()), path)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise Rejected("journal-unreadable", f"{path} cannot be read ({error}): check its path, owner and file system") from error
        return cls(path, keyring)

    def begin(self) -> None:
        return

    async def end(self) -> None:
        return

    def close(self) -> None:
        self.readers.close()

    def size(self) -> int:
        return file_size(self._path)

    async def give_space_back(self) -> None:
        _refuse()


def _refuse() -> NoReturn:
    raise Rejected("journal-read-only", "this journal was opened to be read: open it for writing, or ask the process that writes it")


def _same_schema(connection: sqlite3.Connection, path: Path) -> None:
    known = sum(1 for _ in resources.files("isthmus.journals.sqlite").joinpath("migrations").iterdir())
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != known:
        cure = "install the release that wrote it, or a later one" if version > known else "run the engine once, which migrates it"
        raise Rejected("journal-other-release", f"{path} has schema {version}, this program knows {known}: {cure}")
