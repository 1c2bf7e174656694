"""Budget: what a target allows, shared by all flows that go there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isthmus.engine.clock import Clock, Timer

_TICK = 0.001
"""Seconds: the shortest wait for the window, so that rounding never makes a spin of it."""


class TargetBudget:
    """At most so many calls in any second, and so many at once. Implements ``connectors.port.Budget``.

    The second slides: no window of one second, wherever it begins, holds more starts than allowed. A rate below one call a
    second stretches the window instead. Waiting calls go in order of arrival, those of the safety lane before all others.
    """

    def __init__(self, clock: Clock, *, calls_per_second: float | None = None, in_flight: int | None = None) -> None:
        if (calls_per_second is not None and calls_per_second <= 0) or (in_flight is not None and in_flight < 1):
            raise ValueError("a budget must allow something: calls_per_second above 0, in_flight of 1 or more")
        self._clock = clock
        self._in_flight = in_flight
        self._running = 0
        self._window = 1.0 if calls_per_second is None else max(1.0, 1.0 / calls_per_second)
        self._starts: deque[float] | None = None if calls_per_second is None else deque(maxlen=max(1, int(calls_per_second)))
        self._safety: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._timer: Timer | None = None

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return len(self._safety) + len(self._others)

    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:
        """Hold this around each call to the target."""
        await self._enter(lane)
        try:
            yield
        finally:
            self._running -= 1
            self._admit()

    async def _enter(self, lane: str) -> None:
        queue = self._safety if lane == "safety" else self._others
        if not self._safety and not (queue is self._others and self._others) and self._free():
            self._begin()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came in the same moment: give it back
                self._running -= 1
            elif turn in queue:
                queue.remove(turn)
            self._admit()
            raise

    def _free(self) -> bool:
        if self._in_flight is not None and self._running >= self._in_flight:
            return False
        starts = self._starts
        return starts is None or len(starts) < (starts.maxlen or 1) or self._clock.monotonic() >= starts[0] + self._window

    def _begin(self) -> None:
        self._running += 1
        if self._starts is not None:
            self._starts.append(self._clock.monotonic())

    def _admit(self) -> None:
        """Let in whoever may go; for the rest, come back when the window has room again."""
        while (queue := self._safety or self._others) and self._free():
            turn = queue.popleft()
            if not turn.done():
                self._begin()
                turn.set_result(None)
        if self.waiting and self._timer is None and self._starts and (self._in_flight is None or self._running < self._in_flight):
            self._timer = self._clock.after(max(_TICK, self._starts[0] + self._window - self._clock.monotonic()), self._again)

    def _again(self) -> None:
        self._timer = None
        self._admit()
