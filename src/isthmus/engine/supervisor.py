"""Supervisor: no loop dies silently.

A loop that meets ``Transient`` (the journal is away for a moment) begins again after a back-off, and says so. Whatever else
ends a loop is a bug of ours: every loop is ended and the engine stops loudly, for a half-working engine that looks alive is
worse than one that is down.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from isthmus.core.failure import Bug, Failure, Transient
from isthmus.engine.backoff import pause
from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import EngineFailed, LoopRestarted, Notify
from isthmus.engine.wake import Wake

_FIRST, _LONGEST, _HEALTHY = 0.2, 30.0, 60.0  # seconds; a loop that ran for so long starts counting anew

Loop = Callable[[], Awaitable[None]]


class Supervisor:
    """Keeps named loops running; ``failed`` is set with the reason once one of them has met a bug."""

    def __init__(self, *, clock: Clock, rng: random.Random, notify: Notify, failing: Callable[[], None]) -> None:
        """``failing`` is called once, at the moment of the first bug."""
        self._clock = clock
        self._rng = rng
        self._notify = notify
        self._failing = failing
        self._tasks: list[asyncio.Task[None]] = []
        self._pausing: set[Wake] = set()
        self._over = asyncio.Event()
        self.failed: BaseException | None = None

    @property
    def running(self) -> int:
        return sum(not task.done() for task in self._tasks)

    def start(self, name: str, loop: Loop) -> None:
        self._tasks.append(asyncio.create_task(self._keep(name, loop), name=f"isthmus {name}"))

    def again(self) -> None:
        """The journal is there again: loops that pause for its sake begin at once."""
        for wake in self._pausing:
            wake()

    async def stop(self) -> None:
        """End every loop; returns when all have ended."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._over.set()

    async def wait(self) -> None:
        """Until the loops have been stopped; raises what failed, if something did."""
        await self._over.wait()
        if self.failed is not None:
            raise self.failed

    async def _keep(self, name: str, loop: Loop) -> None:
        restarts = 0
        while True:
            begun = self._clock.monotonic()
            try:
                await loop()
            except Transient as failure:
                restarts = 1 if self._clock.monotonic() - begun > _HEALTHY else restarts + 1
                wait = max(failure.after or 0.0, pause(restarts, first=_FIRST, longest=_LONGEST, rng=self._rng))
                self._notify(LoopRestarted(loop=name, code=failure.code, detail=failure.detail, pause=wait))
                await self._pause(wait)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._fail(name, Bug("cancelled", "something that the loop waited for was cancelled, though nobody stopped the loop"))
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end in a task that nobody looks at
                self._fail(name, error)
                return
            else:
                return

    async def _pause(self, seconds: float) -> None:
        wake = Wake(self._clock)
        self._pausing.add(wake)
        try:
            await wake.wait(seconds)
        finally:
            self._pausing.discard(wake)

    def _fail(self, name: str, error: Exception) -> None:
        code = error.code if isinstance(error, Failure) else "exception"
        detail = error.detail if isinstance(error, Failure) else f"{type(error).__name__} at {_line(error)}"
        self._notify(EngineFailed(loop=name, code=code, detail=detail))
        if self.failed is not None:
            return
        self.failed = error
        self._failing()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._over.set()


def _line(error: BaseException) -> str:
    """Where it was raised; its text stays out, for it may quote a message."""
    trace, line = error.__traceback__, "?"
    while trace is not None:
        line = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return line
