"""How space goes back to the file system.

Pruning deletes bodies. Deleted rows leave room in their shelf: what is written next uses it, but the file keeps its length. So at
the end of a pruner's run the shelves are tidied, outside the journal's transactions:

- the shelf in use is vacuumed: its room becomes usable, and what is free at its end is cut off;
- once it has grown beyond a size a new one is begun, and the old one is only read and pruned from then on;
- an old shelf that has become empty is dropped; one that is more than half free is rewritten (VACUUM FULL), which holds up whoever
  asks for a body on it for so long, and nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import asyncpg

from isthmus.journals.postgres.store import Session, Store

_SMALL: Final = 1 << 20
"""Bytes below which rewriting a shelf is not worth it."""


class Shelves:
    """Remembers from which shelves bodies were taken, until they are tidied."""

    def __init__(self, store: Store, shelf_bytes: int) -> None:
        self._store = store
        self._shelf_bytes = shelf_bytes
        self._untidy: set[int] = set()

    def taken_from(self, shelves: Iterable[int]) -> None:
        self._untidy.update(shelves)

    async def tidy(self) -> None:
        """One node at a time. A shelf that others are using just now is left for the next time."""
        async with self._store.session() as session:
            if not await session.value("alone_at_shelves"):
                return
            try:
                await session.script("patience")
                await self._tidy(session)
            finally:
                await session.script("no_patience")
                await session.run("not_alone_at_shelves")

    async def _tidy(self, session: Session) -> None:
        *old, (current, size) = await session.rows("shelves")
        for shelf, old_size in old:
            with suppress(asyncpg.LockNotAvailableError):
                await self._tidy_old(session, shelf, old_size)
        if current in self._untidy:
            await session.script("vacuum_shelf", current)
            self._untidy.discard(current)
        if size > self._shelf_bytes:
            with suppress(asyncpg.LockNotAvailableError):
                await session.script("add_shelf", current + 1)

    async def _tidy_old(self, session: Session, shelf: int, size: int) -> None:
        content = await session.value("shelf_content", shelf) if shelf in self._untidy or size < _SMALL else size
        if content == 0:
            await session.script("drop_shelf", shelf)
        elif content < size / 2 and size > _SMALL:
            await session.script("rewrite_shelf", shelf)
        self._untidy.discard(shelf)
