"""Status: how the engine is, at a glance and from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from isthmus.engine.breaker import BreakerState
from isthmus.engine.subscriber import SubscriptionState


class SubscriptionStatus(Struct, frozen=True, kw_only=True):
    state: SubscriptionState
    cursor: int


class EndpointStatus(Struct, frozen=True, kw_only=True):
    breaker: BreakerState
    in_hand: int
    """Claimed and not settled yet."""
    in_the_air: int
    """Being sent."""


class NodesStatus(Struct, frozen=True, kw_only=True):
    """Of a journal that nodes share."""

    node: str
    holds: bool
    """Whether this node's lease runs."""
    living: Sequence[str]
    """All whose leases ran at the last beat."""


class Status(Struct, frozen=True, kw_only=True):
    failed: str = ""
    """The kind of bug that ended the engine; empty while it lives."""
    backlog: Mapping[str, int]
    """Messages that wait for their translator, by interface."""
    unanswered: int
    """Messages that wait for a commit and for their answer."""
    paused: Mapping[str, str]
    """Sources that are slowed, and why: ``backlog``, ``journal``."""
    subscriptions: Mapping[str, SubscriptionStatus]
    endpoints: Mapping[str, EndpointStatus]
    nodes: NodesStatus | None = None
    """None where one process has the journal to itself."""
