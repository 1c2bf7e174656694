"""Members: the nodes that share a journal. A port of its own: only adapters that several processes can open have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from isthmus.journals.port import Journal


class Seen(Struct, frozen=True):
    """A node that has joined and neither left nor was buried."""

    node: str
    """``NAME:incarnation``"""
    left: float
    """Seconds for which its lease still runs; negative: so long ago it ran out."""


class Members(Protocol):
    """Nodes that share a journal: who is there, and who takes over from whom. Only adapters that several processes can open have it.

    A lease says that a node may send; its time is the store's, so clocks of nodes need not agree. Leases are for progress. What keeps
    the journal right is its state: a settlement counts while its claim is held, a plan while the cursor is where it was read, a
    translation while the message still waits.
    """

    async def join(self, node: str, lease: float) -> None:
        """A node begins, with a lease of so many seconds. A node's name is new at each start (``NAME:incarnation``); raises ``Rejected``
        (``node-taken``) while the lease of another incarnation of NAME runs.
        """
        ...

    async def beat(self, node: str, lease: float) -> Sequence[str] | None:
        """Extend the lease from now on; all nodes whose leases run, in order of their names. None when this node was buried: its claims
        are others' now, and it has to join again under a new incarnation. A lease that ran out without a burial may be extended.
        """
        ...

    async def bury(self, now: datetime) -> Mapping[str, int]:
        """Remove the nodes whose leases have run out; what they were sending becomes unknown, in the same transaction. Owner → claims."""
        ...

    async def leave(self, node: str, now: datetime) -> None:
        """A node ends; what it still has claimed becomes unknown."""
        ...

    async def nodes(self) -> Sequence[Seen]:
        """Who is there, in order of names; for people, and for who has not joined."""
        ...

    async def ring(self, topics: AbstractSet[str]) -> None:
        """Tell the other nodes that there is work; outside of any transaction, lost without harm (loops look by themselves too)."""
        ...

    async def listen(self, rung: Callable[[str], None]) -> None:
        """From now on ``rung(topic)`` is called for what other nodes ring, until the journal is closed."""
        ...


class SharedJournal(Journal, Members, Protocol):
    """One that several nodes can open."""
