"""The machine's clock is set while messages flow and while some of them wait for their next attempt."""

from __future__ import annotations

import asyncio

from isthmus.app.drill.field import Field, Hurt, until

_HOUR = 3600.0
_PILE = 0.6
"""Seconds for which receivers are off before a jump, so that something waits for a time to come."""


async def jump(field: Field) -> Hurt:
    """Forward by hours and days, and back further than it was: what is due must not wait for a time that came and went."""
    jumps = (_HOUR, -2 * _HOUR, 3 * 24 * _HOUR, -4 * 24 * _HOUR, -0.5 * _HOUR)
    waited = 0
    async with field.harm():
        for seconds in jumps:
            await field.load.more(1, 60.0)
            for gate in field.gates:
                gate.shut()
            await asyncio.sleep(_PILE)
            waited += field.node.standing.get("due", 0)
            field.node.order(f"clock {seconds * field.rng.uniform(0.9, 1.1)}")
            for gate in field.gates:
                await gate.open(gate.port)
            await asyncio.sleep(field.seconds / len(jumps))
    done = await until(lambda: len(field.node.since(0, "clock")) == len(jumps), 10)
    return Hurt(waited if done else 0, f"{len(jumps)} jumps of half an hour to four days, while {waited} deliveries waited for their time")
