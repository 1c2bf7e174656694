"""Pruner: destroys bodies whose time has passed, by each interface's policy. History stays; space is given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import BodiesPruned, Notify
from isthmus.journals.port import Upkeep

FIRST, EVERY = 60.0, 3_600.0
"""Seconds after the start, and between two rounds: a process that is restarted often prunes all the same."""
BATCH = 2_000
"""Messages in one transaction; others commit in between."""


class Pruner:
    def __init__(
        self,
        journal: Upkeep,
        keep: Mapping[str, float],
        *,
        clock: Clock,
        notify: Notify,
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        """``keep``: seconds for which an interface's bodies are kept. What no interface took is kept as long as the longest.
        ``mine``: whether this node is the one that prunes.
        """
        self._journal = journal
        self._keep = {**keep, "": max(keep.values(), default=0.0)}
        self._clock = clock
        self._notify = notify
        self._mine = mine

    async def run(self) -> None:
        await self._clock.sleep(FIRST)
        while True:
            for interface, keep in self._keep.items():
                if self._mine():
                    await self._prune(interface, keep)
            await self._clock.sleep(EVERY)

    async def _prune(self, interface: str, keep: float) -> None:
        now = self._clock.now()
        while True:
            done = await self._journal.prune(interface, now - timedelta(seconds=keep), now, BATCH)
            if done.messages or done.events or done.deliveries:
                self._notify(
                    BodiesPruned(
                        interface=interface,
                        messages=done.messages,
                        events=done.events,
                        deliveries=done.deliveries,
                        bytes_freed=done.bytes_freed,
                    )
                )
            if done.messages < BATCH:
                return
