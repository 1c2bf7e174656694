"""The node's process dies: kill -9 at random moments, or exactly at one of its writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import get_args

from isthmus.app.drill.field import Field, Hurt
from isthmus.app.drill.plan import When

_MOST = 0.35
"""Seconds at most that it works before the next kill, after its first acknowledgement."""
_BUSY = 0.8
"""Share of the kills that wait for a moment at which something is in the air; the others come when they come."""
_WHENS: tuple[When, ...] = get_args(When)
_WAIT = 30.0


async def kill(field: Field) -> Hurt:
    """Kill -9 under load, again and again, at moments that nobody chose."""
    hit = air = 0
    for number in range(field.times):
        await field.moment(_MOST)
        field.tell(f"kill {number + 1} of {field.times}")
        if field.rng.random() < _BUSY:
            await field.in_the_middle(0.2)
        in_the_air = field.in_the_air
        async with field.harm() as strike:
            await field.node.kill()
            air += in_the_air
            await field.node.start()
        hit += in_the_air > 0 or bool(field.node.since(strike.began, "ClaimsReleased"))
    claims = field.node.counts["ClaimsReleased.claims"]
    return Hurt(
        hit,
        f"killed {field.times} times, {hit} times in the middle of something ({air} messages and deliveries in the air); "
        f"{claims} claims were in hand, {field.load.struck['unheard']} times a sender heard nothing",
    )


async def writes(field: Field) -> Hurt:
    """It dies at its n-th write, for every n of a small run: before it, in the middle of it, and after it, when nobody knows yet."""
    await field.node.stop()
    struck: Counter[str] = Counter()
    for number in range(1, field.times + 1):
        for when in _WHENS:
            field.tell(f"write {number} of {field.times}, {when}")
            async with field.harm():
                field.node.prepare = partial(field.sandbox.plan, die_at=number, die_when=when)
                await field.node.start(wait=False)
                try:
                    async with asyncio.timeout(_WAIT):
                        await field.node.died()
                except TimeoutError:
                    await field.node.kill()
                    break  # so few writes happen in a run
            for told in field.node.since(field.strikes[-1].began, "dying"):
                field.strikes[-1].began = told.at
                struck[f"{told.told['write']} {when}"] += 1
    field.node.prepare = field.sandbox.plan
    async with field.harm():
        await field.node.start()
    kinds = sorted({name.partition(" ")[0] for name in struck})
    return Hurt(
        sum(struck.values()) if len(kinds) > 1 else 0, f"died at {sum(struck.values())} writes, of {len(kinds)} kinds ({', '.join(kinds)})"
    )
