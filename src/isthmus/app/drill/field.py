"""Field: what a drill has in its hands while it strikes, and when it struck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from msgspec import Struct

from isthmus.app.drill.gate import Gate
from isthmus.app.drill.load import Load
from isthmus.app.drill.process import NodeProcess
from isthmus.app.drill.sandbox import Sandbox


class Strike(Struct):
    """One fault, from its beginning to its healing; seconds on the monotonic clock."""

    began: float
    healed: float = 0.0


class Hurt(Struct, frozen=True):
    """How often the fault really struck, and what it did. Nought times: the drill proves nothing."""

    times: int
    how: str


class Field(Struct, kw_only=True):
    sandbox: Sandbox
    node: NodeProcess
    load: Load
    rng: Random
    seconds: float
    """How long a fault lasts, where the drill does not say otherwise."""
    times: int
    """How often a process is killed, a disk is cut off."""
    timeout: float
    """The longest time-out of the site's policies, in seconds."""
    strikes: list[Strike] = []
    tell: Callable[[str], None] = lambda _text: None
    """Progress, for whoever looks on."""
    after: list[Callable[[], Awaitable[None]]] = []
    """What has to be done once everything is worked off, before it is counted."""

    @property
    def gates(self) -> list[Gate]:
        return list(self.sandbox.gates.values())

    @property
    def effects(self) -> int:
        """How much has taken effect in the practice systems whose effects can be counted cheaply."""
        return sum(len(sink.order()) for sink in self.sandbox.sinks.values())

    @property
    def in_the_air(self) -> int:
        """Messages and deliveries that somebody has sent and nobody has answered."""
        return self.load.in_the_air + sum(gate.in_the_air for gate in self.gates)

    @property
    def set_aside(self) -> int:
        """Attempts that did not succeed: to be tried again, to be checked, or dead."""
        return sum(self.node.counts[f"AttemptsSettled.{state}"] for state in ("due", "unknown", "dead"))

    @asynccontextmanager
    async def harm(self) -> AsyncIterator[Strike]:
        """The fault lasts as long as the block."""
        strike = Strike(time.monotonic())
        self.strikes.append(strike)
        try:
            yield strike
        finally:
            strike.healed = time.monotonic()

    async def moment(self, most: float) -> None:
        """Until a moment that nobody chose: some messages have gone through since, and then up to so many seconds."""
        await self.load.more(1, 60.0)
        await asyncio.sleep(self.rng.uniform(0.0, most))

    async def in_the_middle(self, most: float) -> None:
        """Until something is in the air that nobody has answered, or for so many seconds."""
        end = time.monotonic() + most
        while not self.in_the_air and time.monotonic() < end:  # noqa: ASYNC110 - a moment is shorter than any pause
            await asyncio.sleep(0)


DoStrike = Callable[[Field], Awaitable[Hurt]]


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True
