"""The engine's process of a drill: the site on the real composition root, in the sandbox, telling on standard output what it notices.

    python -m isthmus.app.drill.node SANDBOX.json

Each line it prints is a JSON document with ``at``, seconds on the machine's monotonic clock, which all its processes share. It reads
orders from standard input: ``clock SECONDS`` (its wall clock jumps), ``stop``. Only a drill starts it; `isthmus run` knows none of this.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from isthmus.app import loop
from isthmus.app.balance import UNSETTLED, balance
from isthmus.app.compose import Assembly, assembled
from isthmus.app.drill.clock import Wall
from isthmus.app.drill.plan import NodePlan, config_of
from isthmus.app.drill.writes import die_at
from isthmus.app.loop import Signals, done, first
from isthmus.app.site_loader import load_site
from isthmus.core import Failure
from isthmus.engine.clock import SystemClock
from isthmus.engine.telemetry import Notice

EVERY = 0.1
"""Seconds between two lines about where everything stands."""
_DRAIN = 20.0


def tell(what: str, **more: Any) -> None:
    """One line; flushed at once, for the next moment may be the last."""
    sys.stdout.buffer.write(msgspec.json.encode({"at": time.monotonic(), "is": what, **more}) + b"\n")
    sys.stdout.buffer.flush()


def notice(one: Notice) -> None:
    tell(type(one).__name__, level=one.level, line=one.line(), told=msgspec.structs.asdict(one))


async def main(plan: NodePlan) -> None:
    config = config_of(plan)
    site = load_site(config.folder, config.name).site
    wall, signals = Wall(), Signals()
    signals.install()
    async with assembled(config, site, notice, clock=SystemClock(wall)) as assembly:
        if plan.die_at:
            die_at(assembly.journal, plan.die_at, plan.die_when, tell)
        try:
            await assembly.engine.start()
            tell("ready")
            standing = asyncio.create_task(_standing(assembly))
            obeying = asyncio.create_task(_obey(wall, signals))
            await first(signals.end.wait(), assembly.engine.wait(), done(standing), done(obeying))
            await assembly.engine.drain(_DRAIN)
            for task in (standing, obeying):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        finally:
            await assembly.engine.stop()
    tell("ended")


async def _standing(assembly: Assembly) -> None:
    """Where everything stands, from the journal's counters; silent while the journal is away."""
    while True:
        with suppress(Failure):
            asked = time.monotonic()
            sheet = balance(assembly.site, await assembly.journal.tallies(), await assembly.journal.positions())
            due = sum(one.deliveries[state] for one in sheet.subscriptions.values() for state in UNSETTLED)
            tell("standing", asked=asked, open=sheet.open, due=due, dead=sheet.dead, received=sheet.totals.received)
        await asyncio.sleep(EVERY)


async def _obey(wall: Wall, signals: Signals) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().split():
        match line:
            case ["clock", seconds]:
                wall.jump(float(seconds))
                tell("clock", offset=wall.offset.total_seconds())
            case _:
                signals.ask()


if __name__ == "__main__":
    loop.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=NodePlan)))
