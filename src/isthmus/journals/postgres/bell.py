"""The bell: nodes tell each other that there is work (LISTEN and NOTIFY). Whoever misses it looks by itself a little later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final
from uuid import uuid4

from isthmus.core.failure import Failure, Transient
from isthmus.journals.postgres.statements import statement
from isthmus.journals.postgres.store import Store

_CHANNEL: Final = "isthmus"
_LOOK: Final = 5.0
"""Seconds between two looks whether the connection still answers: one that is cut says nothing by itself."""
_PAUSE: Final = 1.0
"""Seconds before it is tried again."""


class Bell:
    """Rings on the pool's connections, and listens on one of its own, which it opens again by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._me = uuid4().hex
        """What we ring ourselves we need not hear."""
        self._rung: list[Callable[[str], None]] = []
        self._listening: asyncio.Task[None] | None = None

    async def ring(self, topics: AbstractSet[str]) -> None:
        """Nobody is told while the database is out of reach: then there is nothing to be done either."""
        if topics:
            with suppress(Transient):
                async with self._store.session() as session:
                    await session.run("ring_bell", self._me, sorted(topics))

    async def listen(self, rung: Callable[[str], None]) -> None:
        """Returns when it listens; raises ``Transient`` where the database is out of reach."""
        self._rung.append(rung)
        if self._listening is None:
            ready = asyncio.get_running_loop().create_future()
            self._listening = asyncio.create_task(self._listen(ready))
            try:
                await ready
            except BaseException:
                self._rung.remove(rung)
                await self.close()
                raise

    async def close(self) -> None:
        task, self._listening = self._listening, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, ready: asyncio.Future[None]) -> None:
        while True:
            try:
                await self._until_cut(ready)
            except Failure as failure:
                if not ready.done():
                    ready.set_exception(failure)
                    return
            await asyncio.sleep(_PAUSE)

    async def _until_cut(self, ready: asyncio.Future[None]) -> None:
        async with self._store.connection() as connection:
            await connection.add_listener(_CHANNEL, self._heard)
            if not ready.done():
                ready.set_result(None)
            while True:
                await asyncio.sleep(_LOOK)
                await connection.execute(statement("alive"), timeout=_LOOK)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        who, _, topic = str(payload).partition(" ")
        if who != self._me:
            for rung in self._rung:
                rung(topic)
