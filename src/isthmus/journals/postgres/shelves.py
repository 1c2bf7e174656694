"""How space goes back to the file system.

Pruning deletes bodies. Deleted rows leave room in their shelf: what is written next uses it, but the file keeps its length. So at
the end of a pruner's run the shelves are tidied, outside the journal's transactions:

- the shelf in use is vacuumed: its room becomes usable, and what is free at its end is cut off;
- once it has grown beyond a size a new one is begun, and the old one is only read and pruned from then on;
- an old shelf that has become empty is dropped; one that is more than half free is rewritten (VACUUM FULL), which holds up whoever
  asks for a body on it for so long, and nobody else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import asyncpg

from isthmus.journals.postgres.store import Session, Store

_SMALL: Final = 1 << 20
"""Bytes below which a shelf is not worth rewriting."""
_TRIES: Final = 4
_PAUSE: Final = 0.1
"""Seconds. A snapshot that somebody took before the bodies went keeps their space in use; most last for milliseconds."""


class Shelves:
    """Tidies the shelves from which the pruner has taken bodies; the journal itself remembers which."""

    def __init__(self, store: Store, shelf_bytes: int) -> None:
        self._store = store
        self._shelf_bytes = shelf_bytes

    async def tidy(self) -> None:
        """One node at a time. A shelf that others are using all the time is left for the next run."""
        async with self._store.session() as session:
            if not await session.value("alone_at_shelves"):
                return
            try:
                await session.script("patience")
                for turn in range(_TRIES):
                    await asyncio.sleep(_PAUSE if turn else 0)
                    if await self._tidy(session):
                        break
                await self._begin_another(session)
            finally:
                await session.script("no_patience")
                await session.run("not_alone_at_shelves")

    async def grow(self) -> None:
        """Begin another shelf where the current one is full."""
        async with self._store.session() as session:
            if await session.value("alone_at_shelves"):
                try:
                    await session.script("patience")
                    await self._begin_another(session)
                finally:
                    await session.script("no_patience")
                    await session.run("not_alone_at_shelves")

    async def _tidy(self, session: Session) -> bool:
        """Whether all are tidy now."""
        shelves = await session.rows("shelves")
        current = shelves[-1]["number"]
        done = True
        for number, untidy in shelves:
            if untidy:
                try:
                    tidied = await (_vacuum(session, number) if number == current else _shrink(session, number))
                except asyncpg.LockNotAvailableError:
                    tidied = False
                if tidied:
                    await session.run("shelf_tidy", number)
                done = done and tidied
        return done

    async def _begin_another(self, session: Session) -> None:
        current = (await session.rows("shelves"))[-1]["number"]
        if await session.value("shelf_size", current) > self._shelf_bytes:
            with suppress(asyncpg.LockNotAvailableError):
                await session.script("add_shelf", shelf=current + 1)


async def _vacuum(session: Session, shelf: int) -> bool:
    await session.script("vacuum_shelf", shelf=shelf)
    return not await _half_empty(session, shelf)


async def _shrink(session: Session, shelf: int) -> bool:
    if await session.value("shelf_content", shelf) == 0:
        await session.script("drop_shelf", shelf=shelf)
        return True
    if await _half_empty(session, shelf):
        await session.script("rewrite_shelf", shelf=shelf)
    return not await _half_empty(session, shelf)


async def _half_empty(session: Session, shelf: int) -> bool:
    size: int = await session.value("shelf_size", shelf)
    content: int = await session.value("shelf_content", shelf)
    return size > _SMALL and content < size / 2
