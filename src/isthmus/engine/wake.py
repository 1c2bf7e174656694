"""Wake: how loops of one process tell each other that there is work, instead of polling fast."""

from __future__ import annotations

import asyncio

from isthmus.engine.clock import Clock

POLL = 1.0
"""Seconds after which a loop looks by itself: for work that another node or a person made due, which no wake announces."""


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
