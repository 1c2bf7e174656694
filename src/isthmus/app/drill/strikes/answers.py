"""Faults of receivers and networks, done by the gates: the system behind has acted, and what comes back is late, spoiled or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from isthmus.app.drill.field import DoStrike, Field, Hurt
from isthmus.app.drill.gate import PASS, Fate, Gate, Kind

_SHARE = 0.4
"""Of the answers, while the fault lasts."""
_OPEN_AGAIN = 0.1


async def outage(field: Field) -> Hurt:
    """Every receiver is off: connections break, new ones are refused."""
    async with field.harm():
        for gate in field.gates:
            gate.shut()
        await asyncio.sleep(field.seconds)
        for gate in field.gates:
            await gate.open(gate.port)
    broken = sum(gate.struck["broken"] for gate in field.gates)
    return Hurt(field.set_aside, f"every receiver was off for {field.seconds:g} s, {broken} connections broke with something in the air")


def spoiling(
    kind: Kind, words: str, *, only: str = "", share: float = _SHARE, delay: Callable[[Random, float], float] | None = None
) -> DoStrike:
    """A drill that draws this fate for a share of the answers. ``only``: of gates that speak this. ``delay``: of slow ones, from the
    randomness and the longest time-out of the site.
    """

    async def strike(field: Field) -> Hurt:
        gates = [gate for gate in field.gates if not only or gate.speaks == only]

        def draw() -> Fate:
            if field.rng.random() >= share:
                return PASS
            return Fate(kind, delay(field.rng, field.timeout) if delay else 0.0)

        async with field.harm():
            for gate in gates:
                gate.draw = draw
            await asyncio.sleep(field.seconds)
            for gate in gates:
                gate.draw = lambda: PASS
        times = sum(gate.struck[kind] for gate in gates)
        return Hurt(times, words.format(n=times))

    return strike


def slowly(rng: Random, _timeout: float) -> float:
    return rng.uniform(0.3, 1.5)


def too_late(rng: Random, timeout: float) -> float:
    """Some in time, some when nobody waits any more."""
    return rng.choice((rng.uniform(0.2, 2.0), timeout + rng.uniform(0.2, 1.0)))


async def duplicate(field: Field) -> Hurt:
    """Senders say again what was answered; receivers that speak MLLP answer twice."""
    twice: list[Gate] = [gate for gate in field.gates if gate.speaks == "mllp"]
    async with field.harm():
        field.load.manners.repeats = _SHARE
        for gate in twice:
            gate.draw = lambda: Fate("twice") if field.rng.random() < _SHARE else PASS
        await asyncio.sleep(field.seconds)
        field.load.manners.repeats = 0.0
        for gate in twice:
            gate.draw = lambda: PASS
    repeated, answered = field.load.struck["repeated"], sum(gate.struck["twice"] for gate in twice)
    return Hurt(repeated, f"{repeated} messages said twice, {answered} acknowledgements came twice")


async def truncated(field: Field) -> Hurt:
    """Half a message from senders, half an answer from receivers; then the connection is gone."""
    async with field.harm():
        field.load.manners.breaks_off = _SHARE
        for gate in field.gates:
            gate.draw = lambda: Fate("cut") if field.rng.random() < _SHARE else PASS
        await asyncio.sleep(field.seconds)
        field.load.manners.breaks_off = 0.0
        for gate in field.gates:
            gate.draw = lambda: PASS
    halves, cut = field.load.struck["broken off"], sum(gate.struck["cut"] for gate in field.gates)
    return Hurt(min(halves, cut), f"{halves} messages and {cut} answers broke off in the middle")


async def lost(field: Field) -> Hurt:
    """The acknowledgement is lost on both sides: our senders do not hear ours, we do not hear our receivers'."""
    async with field.harm():
        field.load.manners.deaf = _SHARE
        for gate in field.gates:
            gate.draw = lambda: Fate("lose") if field.rng.random() < _SHARE else PASS
        await asyncio.sleep(field.seconds)
        field.load.manners.deaf = 0.0
        for gate in field.gates:
            gate.draw = lambda: PASS
    deaf, swallowed = field.load.struck["deaf"], sum(gate.struck["lose"] for gate in field.gates)
    return Hurt(min(deaf, swallowed), f"{deaf} senders and we {swallowed} times did not hear the acknowledgement")
