"""Runs: what is random in history, in few tables of which only one is written to.

The open run is closed when it is full. Closed runs of one tier become one of the next, sorted, beside the traffic; the exchange
itself takes a moment. So there are few of each tier, a look goes into about as many tables as the journal's size has digits, and a
page that was written once for many entries is not written again for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Final, Literal

import asyncpg

from isthmus.journals.postgres.rows import Row
from isthmus.journals.postgres.store import Session, Store

Family = Literal["known", "locator"]

TOGETHER: Final[dict[Family, int]] = {"known": 2, "locator": 4}
"""Runs of one tier that are merged. Each message that arrives is looked for in all runs of ``known``, which holds one entry of it;
``locator`` holds six or so, which only people look for."""
_EXCHANGES: Final = 50
_PAUSE: Final = 0.1


class Runs:
    """Opens and merges runs; one node at a time."""

    def __init__(self, store: Store, run_bytes: int) -> None:
        self._store = store
        self._run_bytes = run_bytes

    async def tidy(self) -> None:
        """What cannot be locked in time is left for the next call."""
        async with self._store.session() as session:
            if not await session.value("alone_at_runs"):
                return
            try:
                await self._tidy(session, "known")
                await self._tidy(session, "locator")
            except asyncpg.LockNotAvailableError:
                pass
            finally:
                await session.script("no_patience")
                await session.run("not_alone_at_runs")

    async def _tidy(self, session: Session, family: Family) -> None:
        runs = await session.rows("runs", family)
        (current,) = (row["number"] for row in runs if row["open"])
        if await session.value("run_size", family, current) > self._run_bytes:
            await session.script("patience")
            await session.script("open_run", family=family, run=runs[-1]["number"] + 1)
            runs = await session.rows("runs", family)
        while together := _together(runs, TOGETHER[family]):
            await self._merge(session, family, together, runs[-1]["number"] + 1)
            runs = await session.rows("runs", family)

    async def _merge(self, session: Session, family: Family, runs: Sequence[Row], number: int) -> None:
        old = ", ".join(str(row["number"]) for row in runs)
        tables = ", ".join(f"isthmus.{family}_{row['number']}" for row in runs)
        async with session.transaction():
            await session.script("begin_merge", family=family, run=number, tables=tables)
            await session.script(f"merge_{family}", run=number, old=old)
            for turn in range(_EXCHANGES):
                try:
                    async with session.transaction():
                        await session.script("lock_family", family=family)
                    break
                except asyncpg.LockNotAvailableError:
                    if turn == _EXCHANGES - 1:
                        raise
                    await asyncio.sleep(_PAUSE)
            await session.script("exchange_runs", family=family, run=number, old=old, tables=tables, tier=runs[0]["tier"] + 1)


def _together(runs: Sequence[Row], count: int) -> Sequence[Row]:
    """The first closed ones of a tier, if there are as many."""
    closed = sorted((row for row in runs if not row["open"]), key=lambda row: (row["tier"], row["number"]))
    for _, those in groupby(closed, key=lambda row: row["tier"]):
        tier = list(those)
        if len(tier) >= count:
            return tier[:count]
    return ()
