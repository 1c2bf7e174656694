"""Courier and lifeline: claims, settlements, receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.core.outcome import Receipt
from isthmus.core.policy import LANES, Lane
from isthmus.journals.memory.tables import KeptDelivery, Tables
from isthmus.journals.port import Claimed, Settlement, Step
from isthmus.journals.rules import attempt_code, attempt_tag, one_batch, receipt_step, receipts_of


def claim(tables: Tables, endpoint: str, limit: int, now: datetime, *, owner: str, lane: Lane | None) -> list[Claimed]:
    ready = [one for one in _waiting(tables, endpoint) if one.ready_at <= now and lane in (None, one.lane)]
    ready.sort(key=lambda one: (LANES.index(one.lane), one.ready_at, one.seq))
    return [_take(tables, kept, owner) for kept in one_batch(ready[:limit], lambda one: len(one.delivery.body))]


def _waiting(tables: Tables, endpoint: str) -> list[KeptDelivery]:
    """What the courier may take now or later: due or unknown, and first of its ordering key."""
    return [
        one
        for one in tables.deliveries.values()
        if one.delivery.endpoint == endpoint and one.state in ("due", "unknown") and tables.head(one) is one
    ]


def _take(tables: Tables, kept: KeptDelivery, owner: str) -> Claimed:
    tables.move(kept, "sending")
    kept.owner, kept.attempts = owner, kept.attempts + 1
    return Claimed(delivery=kept.delivery, created_at=kept.created_at, lane=kept.lane, attempt=kept.attempts, unknown=kept.check)


def settle(tables: Tables, settlements: Sequence[Settlement], owner: str) -> None:
    found = [(tables.delivery(one.delivery_id), one) for one in settlements]
    for kept, settlement in found:
        if kept.state == "sending" and kept.owner == owner:
            _settle(tables, kept, settlement)
        else:
            _too_late(tables, kept, settlement, owner)


def _too_late(tables: Tables, kept: KeptDelivery, settlement: Settlement, owner: str) -> None:
    """The claim was lost (released, or settled before): no state changes, but history says that it came."""
    tables.tallies["attempt", kept.delivery.endpoint, "too-late"] += 1
    code, detail = attempt_code(settlement.outcome)
    tables.note(
        kept.message_id,
        Step(at=settlement.ended_at, subject=kept.delivery.id, stage="too-late", code=code, detail=detail, by=owner),
    )


def _settle(tables: Tables, kept: KeptDelivery, settlement: Settlement) -> None:
    delivery, outcome, at = kept.delivery, settlement.outcome, settlement.ended_at
    code, detail = attempt_code(outcome)
    seconds = (at - settlement.started_at).total_seconds()
    tables.tallies["attempt", delivery.endpoint, attempt_tag(outcome)] += 1
    tables.note(kept.message_id, Step(at=at, subject=delivery.id, stage="attempt", code=code, detail=detail, seconds=seconds))
    for found in receipts_of(outcome):
        _keep_receipt(tables, kept, found, at)
    kept.check = settlement.state == "unknown"
    if kept.replaced and settlement.state != "unknown":
        tables.move(kept, "superseded")
        tables.note(kept.message_id, Step(at=at, subject=delivery.id, stage="superseded", detail=kept.successor))
        return
    tables.move(kept, settlement.state, settlement.reason)
    if settlement.state in ("due", "unknown"):
        kept.not_before, kept.ready_at = settlement.not_before, settlement.not_before or at
    if settlement.state == "dead":
        tables.note(kept.message_id, Step(at=at, subject=delivery.id, stage="dead", code=settlement.reason))


def release(tables: Tables, owner: str, now: datetime) -> int:
    lost = [one for one in tables.deliveries.values() if one.state == "sending" and one.owner == owner]
    for kept in lost:
        tables.move(kept, "unknown", "owner-gone")
        kept.check, kept.ready_at = True, now
        tables.tallies["attempt", kept.delivery.endpoint, "lost"] += 1
        tables.note(kept.message_id, Step(at=now, subject=kept.delivery.id, stage="unknown", code="owner-gone", by=owner))
    return len(lost)


def owners(tables: Tables) -> list[str]:
    return sorted({one.owner for one in tables.deliveries.values() if one.state == "sending"})


def next_due(tables: Tables, endpoint: str) -> datetime | None:
    return min((one.ready_at for one in _waiting(tables, endpoint)), default=None)


def receipt(tables: Tables, delivery_key: str, endpoint: str, found: Receipt, now: datetime) -> bool:
    same = [one for one in tables.deliveries.values() if one.delivery.key == delivery_key and one.delivery.endpoint == endpoint]
    if not same:
        return False
    _keep_receipt(tables, max(same, key=lambda one: one.seq), found, now)
    return True


def _keep_receipt(tables: Tables, kept: KeptDelivery, found: Receipt, at: datetime) -> None:
    tables.receipts.append((kept.delivery.id, found))
    tables.tallies["receipt", kept.delivery.subscription, found.kind] += 1
    tables.note(kept.message_id, receipt_step(kept.delivery.id, found, at))
