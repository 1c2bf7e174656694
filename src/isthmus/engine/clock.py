"""Clock: the only time the engine knows. Tests drive every loop with a :class:`FakeClock`."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's CLOCK_MONOTONIC stands still while the machine sleeps; a lease does not."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, aware, UTC: for what is kept."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine is suspended: for what is measured, and for leases."""
        ...

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, later, in the loop; cheaper than a task that sleeps."""
        ...

    async def sleep(self, seconds: float) -> None: ...


SLOWED = 0.5
"""How fast time passes while the machine's clock is behind what we have told already."""


def _wall() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The time of this machine, which never goes back.

    What waits for its time (a retry, a probe) would wait an hour longer when somebody sets the clock back by an hour. So from then on
    time goes on from where it was, at half speed, until the machine's clock has caught up.
    """

    def __init__(self, wall: Callable[[], datetime] = _wall) -> None:
        self._wall = wall
        self._told = wall()
        self._told_at = time.monotonic()

    def now(self) -> datetime:
        wall, at = self._wall(), time.monotonic()
        if wall < self._told:
            wall = self._told + timedelta(seconds=(at - self._told_at) * SLOWED)
        self._told, self._told_at = wall, at
        return wall

    def monotonic(self) -> float:
        return time.clock_gettime(_ELAPSED)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), call)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _FakeTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, _FakeTimer]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = _FakeTimer(call)
        heapq.heappush(self._timers, (self._elapsed + max(0.0, seconds), next(self._numbers), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        timer = self.after(seconds, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            timer.cancel()

    async def advance(self, seconds: float) -> None:
        """Let time pass; whatever falls due on the way happens at its own time, and is finished before the next."""
        end = self._elapsed + seconds
        await self.settle()
        while self._timers and self._timers[0][0] <= end:
            at, _, timer = heapq.heappop(self._timers)
            if timer.call is not None:
                self._elapsed = max(self._elapsed, at)
                timer.call()
                await self.settle()
        self._elapsed = end

    async def jump(self, seconds: float) -> None:
        """Let a long time pass as if the machine had been asleep: what fell due happens once, at the end."""
        self._elapsed += seconds
        await self.advance(0.0)

    async def settle(self, rounds: int = 40) -> None:
        """Let everything that can go on without time go on."""
        for _ in range(rounds):
            await asyncio.sleep(0)


@asynccontextmanager
async def deadline(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """Raise ``TimeoutError`` when the block takes longer; like ``asyncio.timeout``, but by the engine's clock."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a deadline needs a task to interrupt")
    late = False

    def interrupt() -> None:
        nonlocal late
        late = True
        task.cancel()

    timer = clock.after(seconds, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if late and task.uncancel() == 0:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
