"""Porter: opens and closes the sources that one node at a time may read, such as a folder: two would take the same file.

A source that falls to this node is opened a lease later: by then whoever had it has seen this node, or has closed it with its lapsed
lease. One that does not fall to it any more, or whose node has no lease, is closed at once. What was read twice all the same, because
closing took longer than the lease, is one message: the journal knows it by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from isthmus.connectors.port import Accept, Source
from isthmus.engine.clock import Clock
from isthmus.engine.membership import Membership
from isthmus.engine.wake import Wake


class Porter:
    def __init__(self, sources: Mapping[str, Source], membership: Membership, accept: Accept, *, clock: Clock) -> None:
        self._sources = sources
        self._membership = membership
        self._accept = accept
        self._clock = clock
        self._gained: dict[str, float] = {}
        """Since when a source falls to this node."""
        self._open: set[str] = set()
        self._closed = False
        self._one_at_a_time = asyncio.Lock()
        self.wake = Wake(clock)

    @property
    def open(self) -> frozenset[str]:
        return frozenset(self._open)

    async def run(self) -> None:
        while not self._closed:
            await self._look()
            now = self._clock.monotonic()
            waits = [at + self._membership.seconds - now for name, at in self._gained.items() if name not in self._open]
            await self.wake.wait(max(0.0, min(waits)) if waits else None)

    async def close(self) -> None:
        """For good: the node ends."""
        self._closed = True
        self.wake()
        async with self._one_at_a_time:
            for name in tuple(self._open):
                await self._sources[name].stop()
                self._open.discard(name)

    async def _look(self) -> None:
        now = self._clock.monotonic()
        async with self._one_at_a_time:
            for name, source in self._sources.items():
                await self._look_at(name, source, now)

    async def _look_at(self, name: str, source: Source, now: float) -> None:
        if not (self._membership.holds and self._membership.mine(f"source {name}")):
            self._gained.pop(name, None)
            if name in self._open:
                await source.stop()
                self._open.discard(name)
        elif self._gained.setdefault(name, now) + self._membership.seconds <= now and name not in self._open and not self._closed:
            self._open.add(name)
            await source.start(self._accept)
