"""Settling: what becomes of a delivery after an attempt. Pure; one table for every endpoint.

    outcome      young enough                        older than the policy gives it
    Delivered    delivered                           delivered
    Retry        due, after a back-off               dead (gave-up)
    Unknown      unknown: checked, after a back-off  after a send: unknown; after a check: dead (outcome-unknown)
    Reject       dead (rejected)                     dead (rejected)

What was not even tried (``untried``) does not grow older by it: it never gives up, and its back-off is the first.

A receiver's own wish (Retry-After) is honoured when it is longer than our pause, up to an hour. An unknown outcome is checked
at least once before anybody gives up, whatever the policy says, for it may well have been delivered.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from isthmus.core.outcome import Delivered, Outcome, Reject, Retry
from isthmus.core.policy import Policy
from isthmus.engine.backoff import pause
from isthmus.engine.telemetry import AttemptsSettled, DeliveriesDied, Notify
from isthmus.journals.port import Claimed, Settlement

LONGEST_WISH = 3_600.0
"""Seconds: a receiver that asks for more is asked again after this."""

REJECTED, GAVE_UP, NEVER_KNOWN, CLIENT_BUG = "rejected", "gave-up", "outcome-unknown", "client-bug"


def settled(
    claimed: Claimed, outcome: Outcome, policy: Policy, *, checked: bool, started: datetime, ended: datetime, rng: random.Random
) -> Settlement:
    """``checked``: the outcome is what a check came to, not a send."""
    state: Literal["delivered", "due", "unknown", "dead"]
    not_before, reason = None, ""
    if isinstance(outcome, Delivered):
        state = "delivered"
    elif isinstance(outcome, Reject):
        state, reason = "dead", REJECTED
    else:
        state = "due" if isinstance(outcome, Retry) else "unknown"
        too_old = (ended - claimed.created_at).total_seconds() >= policy.give_up_after
        if too_old and not outcome.untried and (checked or state == "due"):
            state, reason = "dead", GAVE_UP if isinstance(outcome, Retry) else NEVER_KNOWN
        else:
            wish = min(LONGEST_WISH, (outcome.after or 0.0) if isinstance(outcome, Retry) else 0.0)
            attempt = 1 if outcome.untried else claimed.attempt
            not_before = ended + timedelta(seconds=max(wish, pause(attempt, first=policy.first_retry, longest=policy.max_retry, rng=rng)))
    return Settlement(
        delivery_id=claimed.delivery.id,
        outcome=outcome,
        state=state,
        started_at=started,
        ended_at=ended,
        not_before=not_before,
        reason=reason,
    )


def unsent(claimed: Claimed, now: datetime, code: str = "not-sent") -> Settlement:
    """Returned as it was claimed: due at once, or still to be checked."""
    return Settlement(
        delivery_id=claimed.delivery.id,
        outcome=Retry(code, untried=True),
        state="unknown" if claimed.unknown else "due",
        started_at=now,
        ended_at=now,
        not_before=now,
    )


def tell(settlements: Sequence[Settlement], endpoint: str, notify: Notify) -> None:
    """Count what became of them; deaths by their reason."""
    states = Counter(one.state for one in settlements)
    notify(
        AttemptsSettled(endpoint=endpoint, delivered=states["delivered"], due=states["due"], unknown=states["unknown"], dead=states["dead"])
    )
    dead: dict[tuple[str, str], list[Settlement]] = {}
    for one in settlements:
        if one.state == "dead" and not isinstance(one.outcome, Delivered):
            dead.setdefault((one.reason, one.outcome.code), []).append(one)
    for (reason, code), those in dead.items():
        notify(DeliveriesDied(endpoint=endpoint, reason=reason, code=code, delivery_id=those[0].delivery_id, deliveries=len(those)))
