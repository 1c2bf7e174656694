"""Signs: what the node told of a fault, and how soon. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from isthmus.app.drill.field import Strike
from isthmus.app.drill.process import Told

_LATE = 15.0
"""Seconds after the healing in which a sign is still one of this fault."""
_SIGNS = frozenset(
    {
        "BreakerMoved", "ClaimsReleased", "DeliveriesDied", "EndpointPaused", "EngineFailed", "LoopRestarted", "MessagesTurnedAway",
        "ReceiptUnmatched", "ReceptionFailed", "SourceDropped", "SourceSlowed", "SubscriptionDelayed", "SubscriptionStopped", "clock",
    }
)  # fmt: skip
_CONTAINS = frozenset({"SourceSlowed", "MessagesTurnedAway", "EndpointPaused", "ClaimsReleased", "LoopRestarted", "clock"})
"""From here on no more harm is done: the endpoint rests, senders wait or are told to, what is uncertain will be checked."""


def detection(heard: Sequence[Told], strikes: Sequence[Strike]) -> tuple[float | None, str]:
    """Seconds to the first sign after a strike, the worst of all strikes that left one, and the first of these signs."""
    found = [(one.at - began, one.line or one.what) for began, one in _firsts(heard, strikes, is_sign)]
    if not found:
        return None, ""
    return round(max(seconds for seconds, _ in found), 3), found[0][1]


def containment(heard: Sequence[Told], strikes: Sequence[Strike]) -> float | None:
    """Seconds until no more harm was done: a breaker opened, senders were paused, what was uncertain was set aside."""
    found = [one.at - began for began, one in _firsts(heard, strikes, contains)]
    return round(max(found), 3) if found else None


def is_sign(one: Told) -> bool:
    return one.what in _SIGNS or _set_aside(one)


def contains(one: Told) -> bool:
    return one.what in _CONTAINS or (one.what == "BreakerMoved" and one.told.get("state") == "open") or _set_aside(one)


def _set_aside(one: Told) -> bool:
    """An attempt that failed waits for its next one or for its check; a message that came again was recognised."""
    names = {"AttemptsSettled": ("due", "unknown", "dead"), "MessagesReceived": ("duplicates",)}.get(one.what, ())
    return any(one.told.get(name) for name in names)


def _firsts(heard: Sequence[Told], strikes: Sequence[Strike], fits: Callable[[Told], bool]) -> Iterator[tuple[float, Told]]:
    """When each strike began, and the first that fits after it and before the next strike."""
    ends = [*(strike.began for strike in strikes[1:]), math.inf]
    for strike, end in zip(strikes, ends, strict=True):
        until = min(end, strike.healed + _LATE)
        found = next((one for one in heard if strike.began <= one.at <= until and fits(one)), None)
        if found is not None:
            yield strike.began, found
