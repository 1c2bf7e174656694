"""The machine's clock is set while messages flow."""

from __future__ import annotations

import asyncio

from isthmus.app.drill.field import Field, Hurt, until

_HOUR = 3600.0


async def jump(field: Field) -> Hurt:
    """Forward by hours and days, and back further than it was: what is due must not wait for a time that came and went."""
    jumps = (_HOUR, -2 * _HOUR, 30 * 24 * _HOUR, -29 * 24 * _HOUR, -30 * 60.0)
    hit = 0
    async with field.harm():
        for seconds in jumps:
            await field.moment(0.3)
            hit += field.in_the_air > 0 or bool(field.node.standing.get("open"))
            field.node.order(f"clock {seconds * field.rng.uniform(0.9, 1.1)}")
            await asyncio.sleep(field.seconds / len(jumps))
    done = await until(lambda: len(field.node.since(0, "clock")) == len(jumps), 10)
    return Hurt(hit if done else 0, f"{len(jumps)} jumps of half an hour to thirty days, {hit} of them with work under way")
