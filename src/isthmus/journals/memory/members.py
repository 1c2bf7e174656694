"""Nodes that share the journal in memory: several engines in one process, for tests. What the port means, said most plainly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from msgspec import Struct, field

from isthmus.core.failure import Bug, Rejected
from isthmus.journals.memory import outbox
from isthmus.journals.memory.tables import Tables
from isthmus.journals.nodes import Seen


class Roll(Struct):
    """Who is there, and who hears the bell."""

    leases: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    """Name → its last incarnation, and until when its lease runs; None: buried."""
    ears: list[tuple[object, Callable[[str], None]]] = field(default_factory=list)


def join(roll: Roll, node: str, lease: float, now: float) -> None:
    name, incarnation = _parts(node)
    known, until = roll.leases.get(name, ("", None))
    if until is None if known == incarnation else until is not None and until > now:
        raise Rejected(
            "node-taken",
            f"node {name} is running already, or was a moment ago: give this one another name, or wait until the other's lease has run out",
        )
    roll.leases[name] = (incarnation, now + lease)


def beat(roll: Roll, node: str, lease: float, now: float) -> list[str] | None:
    name, incarnation = _parts(node)
    known, until = roll.leases.get(name, ("", None))
    if known != incarnation or until is None:
        return None
    roll.leases[name] = (incarnation, now + lease)
    return sorted(f"{one}:{which}" for one, (which, runs) in roll.leases.items() if one == name or (runs is not None and runs > now))


def bury(roll: Roll, tables: Tables, now: float, at: datetime) -> dict[str, int]:
    for name, (incarnation, until) in roll.leases.items():
        if until is not None and until <= now:
            roll.leases[name] = (incarnation, None)
    alive = {f"{name}:{incarnation}" for name, (incarnation, until) in roll.leases.items() if until is not None}
    gone = [owner for owner in outbox.owners(tables) if owner.partition("/")[0] not in alive]
    return {owner: outbox.release(tables, owner, at) for owner in gone}


def leave(roll: Roll, tables: Tables, node: str, at: datetime) -> None:
    name, incarnation = _parts(node)
    if name in roll.leases and roll.leases[name][0] == incarnation:
        roll.leases[name] = (incarnation, None)
    for owner in outbox.owners(tables):
        if owner.partition("/")[0] == node:
            outbox.release(tables, owner, at)


def nodes(roll: Roll, now: float) -> list[Seen]:
    return [Seen(f"{name}:{which}", until - now) for name, (which, until) in sorted(roll.leases.items()) if until is not None]


def ring(roll: Roll, me: object, topics: AbstractSet[str]) -> None:
    for whose, rung in roll.ears:
        if whose is not me:
            for topic in sorted(topics):
                rung(topic)


def _parts(node: str) -> Sequence[str]:
    name, _, incarnation = node.rpartition(":")
    if not name or "/" in node:
        raise Bug("node-name", f"a node is called NAME:incarnation, without a slash, and not {node}")
    return name, incarnation
