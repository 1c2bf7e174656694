"""Policy: how the runtime treats what is classified. One pure table; nobody types a retry count."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from isthmus.core.classification import Classification, Criticality, Latency

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

Lane = Literal["safety", "normal", "bulk"]
"""What goes first, in the journal, at the courier and at the target's budget: safety before normal before bulk."""

LANES: tuple[Lane, ...] = ("safety", "normal", "bulk")
"""In the order in which they go."""


class Policy(Struct, frozen=True, kw_only=True):
    """All durations in seconds."""

    transport: Literal["real-time", "batch"]
    lane: Lane
    """Safety never waits behind bulk, unless an ordering key says so."""
    timeout: float
    """One attempt, from the first byte sent to the receiver's answer."""
    first_retry: float
    max_retry: float
    """The longest pause between two attempts; pauses double from ``first_retry``, with full jitter."""
    give_up_after: float
    """Age at which a delivery that still fails for transient reasons becomes a dead letter."""
    breaker_after: int
    """Failures in a row after which the endpoint's breaker opens."""
    breaker_pause: float
    """How long an open breaker waits before it lets one probe through."""
    page_after: float
    """Owner is paged when something has been stuck for so long."""
    latency_target: float
    """99 of 100 within this time from receipt to business receipt."""
    keep_bodies: float
    """Bodies are kept for so long, then pruned; the history of what happened stays."""
    max_backlog: int
    """Waiting messages at which the source is slowed; at twice as many it is refused (AR, 503)."""


_TIMEOUT: dict[Latency, float] = {"seconds": 10, "minutes": 30, "batch": 300}
_FIRST: dict[Latency, float] = {"seconds": 0.5, "minutes": 2, "batch": 30}
_LONGEST: dict[Latency, float] = {"seconds": 30, "minutes": 5 * MINUTE, "batch": 30 * MINUTE}
_TARGET: dict[Latency, float] = {"seconds": 10, "minutes": 15 * MINUTE, "batch": DAY}
_GIVE_UP: dict[Criticality, float] = {"care": 7 * DAY, "revenue": 14 * DAY, "operations": 3 * DAY, "reporting": DAY}
_PAGE: dict[Criticality, float] = {"care": 2 * MINUTE, "revenue": 30 * MINUTE, "operations": HOUR, "reporting": DAY}
_KEEP: dict[Criticality, float] = {"care": 90 * DAY, "revenue": 365 * DAY, "operations": 30 * DAY, "reporting": 7 * DAY}
_BREAKER: dict[Criticality, int] = {"care": 10, "revenue": 5, "operations": 5, "reporting": 3}


def policy_for(classification: Classification) -> Policy:
    """The policy that follows from a classification; pure, so it can be printed, tested and compared."""
    criticality, latency = classification.criticality, classification.latency
    return Policy(
        transport="batch" if latency == "batch" else "real-time",
        lane="safety" if criticality == "care" else "bulk" if latency == "batch" else "normal",
        timeout=_TIMEOUT[latency],
        first_retry=_FIRST[latency],
        max_retry=_LONGEST[latency],
        give_up_after=0.0
        if classification.recovery == "manual"
        else _TARGET[latency]
        if classification.recovery == "skip"
        else _GIVE_UP[criticality],
        breaker_after=_BREAKER[criticality],
        breaker_pause=5.0 if criticality == "care" else 15.0,
        page_after=_PAGE[criticality],
        latency_target=_TARGET[latency],
        keep_bodies=_KEEP[criticality],
        max_backlog=max(1_000, min(1_000_000, classification.per_day // 4)),
    )


def objections(classification: Classification) -> tuple[str, ...]:
    """What makes no sense together, each with its cure."""
    found: list[str] = []
    if classification.criticality == "care" and classification.latency == "batch":
        found.append("a care-critical flow in batches delays care: choose latency seconds or minutes, or a lower criticality")
    if classification.criticality in ("care", "revenue") and classification.recovery == "skip":
        found.append(f"recovery skip loses {classification.criticality} messages after an outage: choose replay or manual")
    if classification.latency == "seconds" and classification.recovery == "manual":
        found.append("recovery manual cannot hold a latency of seconds: choose replay, or latency minutes")
    return tuple(found)
