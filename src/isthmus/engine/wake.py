"""Wake: how loops of one process tell each other that there is work, instead of polling fast."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from isthmus.engine.clock import Clock
from isthmus.journals.port import MOST_BYTES

POLL = 1.0
"""Seconds after which a loop looks by itself: for work that another node or a person made due, which no wake announces."""


class Bodied(Protocol):
    """A message or an event."""

    @property
    def body(self) -> bytes: ...


def not_all(batch: Sequence[Bodied], limit: int) -> bool:
    """Whether the journal may have held something back: a loop that was given all that there was need not look again to know it.

    What is larger than nearly a whole batch may be held back behind a few small ones; it is found at the next ``POLL``.
    """
    return len(batch) >= limit or sum(len(one.body) for one in batch) >= MOST_BYTES // 16


class Wake:
    """A flag that one loop waits for and anybody in the process raises; raised twice before it is seen, it counts once."""

    __slots__ = ("_clock", "_raised", "_waiter")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._raised = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def asleep(self) -> bool:
        """True while the loop waits and nothing has been announced to it."""
        return self._waiter is not None and not self._raised

    @property
    def raised(self) -> bool:
        """True while something was announced and the loop has not seen it yet."""
        return self._raised

    def __call__(self) -> None:
        self._raised = True
        self._ring()

    async def wait(self, timeout: float | None = None) -> bool:
        """Until it is raised (True) or the time is over (False)."""
        if not self._raised:
            self._waiter = asyncio.get_running_loop().create_future()
            timer = None if timeout is None else self._clock.after(timeout, self._ring)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        raised, self._raised = self._raised, False
        return raised

    def _ring(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
