"""Budget: what a target allows, shared by all flows that go there. Safety goes first, and something is kept back for it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import deque
from contextlib import AbstractAsyncContextManager
from math import ceil, inf
from types import TracebackType

from isthmus.connectors.port import NoTurn
from isthmus.core.policy import LANES, Lane
from isthmus.engine.clock import Clock, Timer, deadline
from isthmus.engine.lease import Lease

UNDER_WAY = 0.25
"""Seconds within which a call is taken to have reached the target, where its end does not prove it earlier."""
PATIENCE = 30.0
"""Seconds that a call waits for its turn; after that its work is tried again later, and others of its lane go meanwhile."""
CAREFUL = 600.0
"""Seconds for which something is kept free for the safety lane after each of its calls."""
KEPT_BACK = 0.2
"""The part of the calls in a second (rounded up) that only the safety lane may take: a delivery often needs two or three."""
_TICK = 0.001
"""Seconds: the shortest wait for the window, so that rounding never makes a spin of it."""


class TargetBudget:
    """At most so many calls in any second, and so many at once. Implements ``connectors.port.Budget``.

    The second is the target's: no window of one second, wherever it begins, sees more calls arrive than allowed. A call arrives
    some time between its start and its end, so it counts from its start until one second after its end (or after ``UNDER_WAY``,
    where it takes longer). A rate below one call a second stretches the window instead.

    Waiting calls go by lane, and within a lane in order of arrival. Calls of bulk are spread over the second, for a burst would
    fill it for all. Where the safety lane is used (``CAREFUL``), the other lanes are all spread, leave one call in flight free
    (where two or more are allowed) and a part of the second: so what is critical waits for nobody, or for as long as it takes
    until the next of the evenly spread places is free.
    """

    def __init__(
        self, clock: Clock, *, calls_per_second: float | None = None, in_flight: int | None = None, lease: Lease | None = None
    ) -> None:
        """``lease``: asked when a call's turn has come, for it may have lapsed while the call waited; None: nobody can take over."""
        self._clock = clock
        self._lease = lease
        self._running = 0
        self._careful_until = -inf
        self._arrived: list[float] = []
        """Of each call that counts: when it has arrived at the target, at the latest; ascending."""
        self._spread_at = -inf
        """When the last call of the other lanes began."""
        self._waiting: dict[Lane, deque[asyncio.Future[float]]] = {lane: deque() for lane in LANES}
        self._timer: tuple[float, Timer] | None = None
        self.resize(calls_per_second=calls_per_second, in_flight=in_flight)

    def resize(self, *, calls_per_second: float | None, in_flight: int | None) -> None:
        """From now on the target allows this much; None: without limit. What is under way ends, what waits goes by the new limits.

        Where several nodes share a target, whoever gets a larger share must wait until those who gave it up have used it for the last
        time: one second after they were resized.
        """
        if (calls_per_second is not None and calls_per_second <= 0) or (in_flight is not None and in_flight < 1):
            raise ValueError("a budget must allow something: calls_per_second above 0, in_flight of 1 or more")
        self._in_flight = in_flight
        self._calls = None if calls_per_second is None else max(1, int(calls_per_second))
        self._window = 1.0 if calls_per_second is None else max(1.0, 1.0 / calls_per_second)
        self._admit()

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return sum(len(one) for one in self._waiting.values())

    def call(self, lane: Lane = "normal") -> AbstractAsyncContextManager[None]:
        """Hold this around each call to the target."""
        return _Call(self, lane)

    # ---- for one call

    async def enter(self, lane: Lane) -> float:
        """Wait for the turn of a call; the time at which it begins. Raises ``NoTurn``."""
        if lane == "safety":
            self._careful_until = self._clock.monotonic() + CAREFUL
        if self._next() is None and self._wait(lane) <= 0:
            return self._begin(lane)
        began = await self._turn(lane)
        if self._lease is not None and not self._lease.holds:
            self.leave(began)
            raise NoTurn("lease-lapsed", "the node may have been taken over while this waited")
        return began

    async def _turn(self, lane: Lane) -> float:
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        self._admit()
        try:
            async with deadline(self._clock, PATIENCE):
                return await turn
        except (asyncio.CancelledError, TimeoutError) as error:
            if turn.done() and not turn.cancelled():  # its turn came in the same moment: give it back
                self._running -= 1
            elif turn in self._waiting[lane]:
                self._waiting[lane].remove(turn)
            self._admit()
            if isinstance(error, TimeoutError):
                raise NoTurn("no-turn", f"the target's budget had no room for it in {PATIENCE:g} s") from None
            raise

    def leave(self, began: float) -> None:
        """A call has ended; that it arrived is sure by now."""
        self._running -= 1
        if self._calls is not None:
            now, latest = self._clock.monotonic(), began + UNDER_WAY
            at = bisect_left(self._arrived, latest)
            if now < latest and at < len(self._arrived) and self._arrived[at] == latest:
                del self._arrived[at]
                insort(self._arrived, now)
        self._admit()

    # ---- who goes when

    def _next(self) -> Lane | None:
        """The lane whose turn it is; None when nobody waits."""
        return next((lane for lane in LANES if self._waiting[lane]), None)

    def _wait(self, lane: Lane) -> float:
        """Seconds until a call of this lane may begin; infinite while it waits for the end of another."""
        now = self._clock.monotonic()
        careful = lane != "safety" and now < self._careful_until
        if self._in_flight is not None:
            free = 1 if careful and self._in_flight > 1 else 0
            if self._running >= self._in_flight - free:
                return inf
        if self._calls is None:
            return 0.0
        allowed = self._calls
        if careful and allowed > 1:
            allowed -= ceil(allowed * KEPT_BACK)
        del self._arrived[: bisect_right(self._arrived, now - self._window)]
        over = len(self._arrived) - allowed
        wait = self._arrived[over] + self._window - now if over >= 0 else 0.0
        if lane == "bulk" or careful:
            wait = max(wait, self._spread_at + self._window / allowed - now)
        return wait

    def _begin(self, lane: Lane) -> float:
        now = self._clock.monotonic()
        self._running += 1
        if self._calls is not None:
            insort(self._arrived, now + UNDER_WAY)
            if lane != "safety":
                self._spread_at = now
        return now

    def _admit(self) -> None:
        """Let in whoever may go; for the rest, come back when the window has room again."""
        while (lane := self._next()) is not None:
            wait = self._wait(lane)
            if wait > 0:
                self._come_back(wait)
                return
            turn = self._waiting[lane].popleft()
            if not turn.done():
                turn.set_result(self._begin(lane))

    def _come_back(self, wait: float) -> None:
        """After this many seconds, unless it is sooner anyway; what waits for the end of another call is let in by that end."""
        at = self._clock.monotonic() + max(_TICK, wait)
        if wait == inf or (self._timer is not None and self._timer[0] <= at):
            return
        if self._timer is not None:
            self._timer[1].cancel()
        self._timer = (at, self._clock.after(at - self._clock.monotonic(), self._again))

    def _again(self) -> None:
        self._timer = None
        self._admit()


class _Call:
    """One call's place; a class, since it is held around every call."""

    __slots__ = ("_began", "_budget", "_lane")

    def __init__(self, budget: TargetBudget, lane: Lane) -> None:
        self._budget = budget
        self._lane: Lane = lane
        self._began = 0.0

    async def __aenter__(self) -> None:
        self._began = await self._budget.enter(self._lane)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._budget.leave(self._began)
