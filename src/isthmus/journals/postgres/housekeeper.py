"""The housekeeper: what has to be done so that the journal stays fast, by how much has gone through it and not by the clock."""

from __future__ import annotations

import asyncio
from typing import Final

from isthmus.core.failure import Transient
from isthmus.journals.postgres.runs import Runs
from isthmus.journals.postgres.shelves import Shelves
from isthmus.journals.postgres.store import Store

EVERY: Final = 20_000
"""Messages or deliveries after which it looks; or a tenth of what waits, if that is more, for its work grows with that."""
_SHARE: Final = 10


class Housekeeper:
    """``passed`` tells it what went through; it works in a task of its own, one at a time. A bug of its own is raised by ``check``."""

    def __init__(self, store: Store, shelves: Shelves, runs: Runs, every: int) -> None:
        self._store = store
        self._shelves = shelves
        self._runs = runs
        self._every = self._enough = every
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    def passed(self, count: int) -> None:
        self._count += count
        if self._count >= self._enough and self._task is None:
            self._count = 0
            self._task = asyncio.create_task(self._work())
            self._task.add_done_callback(self._done)

    def check(self) -> None:
        """Whoever passes goes on when housekeeping has failed; who prunes hears of it."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            self._failure = task.exception()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            async with self._store.session() as session:
                self._enough = max(self._every, await session.value("hot_rows") // _SHARE)
                await session.script("vacuum_hot")
            await self._shelves.grow()
            await self._runs.tidy()
        except Transient:
            pass  # the database is out of reach or busy: whoever passes next brings it back
