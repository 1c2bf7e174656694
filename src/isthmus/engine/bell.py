"""Bell: nodes that share a journal tell each other's loops that there is work. Whoever misses it looks by itself a little later.

Topics are the loops' names: ``translator``, ``subscriber NAME``, ``courier ENDPOINT``, ``courier`` for all of them, ``nodes`` when
somebody came or went.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from isthmus.core.failure import Transient
from isthmus.engine.clock import Clock
from isthmus.engine.wake import Wake
from isthmus.journals.nodes import Members

NODES, TRANSLATOR, COURIERS = "nodes", "translator", "courier"
PAUSE = 0.02
"""Seconds between two rings of one node: what is to be told meanwhile is told together."""


def courier(endpoint: str) -> str:
    return f"courier {endpoint}"


def subscriber(name: str) -> str:
    return f"subscriber {name}"


class Bell:
    """``ring`` costs nothing; ``run`` is the loop that tells the other nodes, as long as there are any."""

    def __init__(self, journal: Members, *, clock: Clock, alone: Callable[[], bool]) -> None:
        self._journal = journal
        self._clock = clock
        self._alone = alone
        self._topics: set[str] = set()
        self._wake = Wake(clock)

    def ring(self, *topics: str) -> None:
        if not self._alone():
            self._topics.update(topics)
            self._wake()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await self.now()
            await self._clock.sleep(PAUSE)

    async def now(self, *topics: str) -> None:
        """Without waiting for the loop."""
        told, self._topics = self._topics | set(topics), set()
        with suppress(Transient):  # the others look by themselves
            await self._journal.ring(told)
