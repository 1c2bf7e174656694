"""Lease: in whose name a node claims, and whether it may still send.

On a journal that one process has to itself, it always may. Where nodes share one, a node that was paused or cut off for longer than
its lease may have been taken over: what it would send now, another may have sent. So couriers ask before each send.
"""

from __future__ import annotations

from typing import Protocol


class Lease(Protocol):
    """What couriers ask before they claim and before they send; changes when the node has lost its place and joined anew."""

    @property
    def node(self) -> str:
        """``NAME:incarnation``; claims carry it."""
        ...

    @property
    def holds(self) -> bool:
        """Whether the lease runs, by this machine's own clock, counted from before the store was asked."""
        ...


class Alone:
    """The lease of a node that nobody can take over from."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.holds = True
