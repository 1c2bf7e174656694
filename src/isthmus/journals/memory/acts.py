"""What people do: redeliver, abandon, reprocess."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug
from isthmus.core.ids import derive_id
from isthmus.journals.memory.stages import keep_delivery, keep_event, keep_plan
from isthmus.journals.memory.tables import KeptDelivery, Tables
from isthmus.journals.port import Planned, Step, Translated
from isthmus.journals.rules import REDELIVERABLE, UNFINISHED, Act, same_bytes, same_event


def redeliver(tables: Tables, delivery_ids: Sequence[str], act: Act) -> list[str]:
    again = [tables.deliveries[one] for one in dict.fromkeys(delivery_ids) if one in tables.deliveries]
    again = [one for one in again if one.state in REDELIVERABLE and not one.pruned]
    for kept in again:
        tables.move(kept, "due")
        kept.ready_at, kept.check = act.at, False
        tables.note(kept.message_id, Step(at=act.at, subject=kept.delivery.id, stage="redelivered", detail=act.why, by=act.by))
    return [one.delivery.id for one in again]


def abandon(tables: Tables, delivery_ids: Sequence[str], act: Act) -> list[str]:
    dead = [tables.deliveries[one] for one in dict.fromkeys(delivery_ids) if one in tables.deliveries]
    dead = [one for one in dead if one.state == "dead"]
    for kept in dead:
        tables.move(kept, "abandoned", kept.reason)
        tables.note(kept.message_id, Step(at=act.at, subject=kept.delivery.id, stage="abandoned", detail=act.why, by=act.by))
    return [one.delivery.id for one in dead]


def reprocess(tables: Tables, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], act: Act) -> list[str]:
    message = tables.messages.get(message_id)
    if message is None:
        raise Bug("unknown-message", f"the journal holds no message {message_id}")
    before = [one for one in tables.deliveries.values() if one.message_id == message_id]
    tables.move_message(message, result.state, result.reason)
    message.violations = result.violations
    tables.identify(message_id, (value for _, value in result.identifiers))
    tables.note(message_id, Step(at=act.at, subject=message_id, stage="reprocessed", code=result.reason, detail=act.why, by=act.by))
    _replace_events(tables, message_id, result)
    stays: set[str] = set()
    fresh: list[str] = []
    for subscription, results in planned.items():
        for one in results:
            keep_plan(tables, subscription, structs.replace(one, deliveries=()), act.at)
            for delivery in one.deliveries:
                current, is_new = _place(tables, message_id, structs.replace(delivery, subscription=subscription), act)
                stays.add(current)
                fresh += [current] if is_new else []
    for kept in before:
        if kept.delivery.id not in stays and kept.state in UNFINISHED:
            _supersede(tables, kept, "", act)
    return fresh


def _replace_events(tables: Tables, message_id: str, result: Translated) -> None:
    old = {one.envelope.id: one for one in tables.events if one.message_id == message_id and not one.superseded}
    new = {one.id: one for one in result.events}
    for event_id, kept in old.items():
        if event_id not in new or not same_event(new[event_id], kept.envelope):
            kept.superseded = True
            tables.tallies["event", kept.envelope.type, "kept"] -= 1
            tables.tallies["event", kept.envelope.type, "superseded"] += 1
    for event_id, envelope in new.items():
        if event_id not in old or old[event_id].superseded:
            keep_event(tables, message_id, envelope, fed=False)


def _place(tables: Tables, message_id: str, delivery: Delivery, act: Act) -> tuple[str, bool]:
    """Id under which the planned delivery stands in the journal, and whether it is new there."""
    seq, lane = len(tables.deliveries) + 1, tables.lane(delivery.subscription)
    old = tables.deliveries.get(delivery.id)
    if old is None:
        keep_delivery(tables, KeptDelivery(delivery, seq, seq, message_id, created_at=act.at, ready_at=act.at, lane=lane))
        return delivery.id, True
    while old.successor:
        old = tables.deliveries[old.successor]
    gone = old.state == "superseded" or old.replaced
    if not gone and same_bytes(old.delivery, delivery):
        return old.delivery.id, False
    successor = structs.replace(delivery, id=derive_id("reprocess", old.delivery.id, delivery.body), supersedes=old.delivery.id)
    keep_delivery(tables, KeptDelivery(successor, seq, old.rank, message_id, created_at=act.at, ready_at=act.at, lane=lane))
    _supersede(tables, old, successor.id, act)
    return successor.id, True


def _supersede(tables: Tables, kept: KeptDelivery, successor: str, act: Act) -> None:
    """What the courier has in hand (sending, unknown) is superseded as soon as its outcome is known."""
    kept.successor = kept.successor or successor
    if kept.state in ("sending", "unknown"):
        kept.replaced = True
    elif kept.state != "superseded":
        tables.move(kept, "superseded")
        tables.note(kept.message_id, Step(at=act.at, subject=kept.delivery.id, stage="superseded", detail=successor, by=act.by))
