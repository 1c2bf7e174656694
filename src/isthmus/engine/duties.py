"""Duties: who works on what, and how much of a target each node may use; pure, so that all nodes that see the same come to the same.

A duty (the translation of an interface, a subscription, a source that one node at a time may read) falls to the node that draws the
highest number for it (rendezvous hashing). When a node comes or goes, only its own duties move.

Duties are for progress and not for safety: nodes that do not see the same for a moment may work on the same, and what the journal
keeps is right all the same (a cursor is its own fence, a message is translated once, a claim is one node's).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct

N = TypeVar("N", int, float)


class Portion(Struct, frozen=True):
    """What a node may use of a target's budget; None: without limit. Nothing at all is no portion but None in its place."""

    calls_per_second: float | None = None
    in_flight: int | None = None


def name_of(node: str) -> str:
    """``NAME`` of ``NAME:incarnation``; a node that comes back under its name gets its duties back."""
    return node.rpartition(":")[0] or node


def ranked(duty: str, nodes: Sequence[str]) -> list[str]:
    """The nodes in the order in which the duty falls to them; whoever leaves changes nothing in the order of the others."""
    return sorted(nodes, key=lambda node: (_drawn(duty, name_of(node)), node), reverse=True)


def falls_to(duty: str, nodes: Sequence[str]) -> str:
    """Whose duty it is; nobody's where nobody is."""
    return max(nodes, key=lambda node: (_drawn(duty, name_of(node)), node), default="")


def portion(whole: Portion, rank: int, nodes: int) -> Portion | None:
    """The portion of the node of this rank among so many; None: nothing. Portions add up to no more than the whole.

    When a node leaves, nobody's portion becomes smaller; when one joins, nobody's becomes larger. So whoever has to give way can do it
    at once, and whoever gains can wait until all others have.
    """
    calls = None if whole.calls_per_second is None else max(1, int(whole.calls_per_second))
    sharers = min([nodes, *(one for one in (calls, whole.in_flight) if one is not None)])
    if rank >= sharers:
        return None
    if sharers == 1:
        return whole
    return Portion(
        None if calls is None else float(_part(calls, rank, sharers)),
        None if whole.in_flight is None else _part(whole.in_flight, rank, sharers),
    )


def lesser(one: Portion | None, other: Portion | None) -> Portion | None:
    """What both allow."""
    if one is None or other is None:
        return None
    return Portion(_least(one.calls_per_second, other.calls_per_second), _least(one.in_flight, other.in_flight))


def _part(whole: int, rank: int, sharers: int) -> int:
    return whole // sharers + (rank < whole % sharers)


def _least(one: N | None, other: N | None) -> N | None:
    return other if one is None else one if other is None else min(one, other)


def _drawn(duty: str, name: str) -> bytes:
    return hashlib.blake2b(f"{duty}\0{name}".encode(), digest_size=8).digest()
