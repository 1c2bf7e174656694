"""What people ask: find, stories, dead letters, counters."""

from __future__ import annotations

from isthmus.journals.memory.tables import KeptDelivery, KeptMessage, Tables
from isthmus.journals.port import DeliveryState, Query, Stored, StoredDelivery, Story, Tally
from isthmus.journals.rules import SHORTEST_PREFIX, UNFINISHED


def find(tables: Tables, query: Query) -> list[Stored]:
    found = (one for one in reversed(tables.messages.values()) if _matches(tables, one, query))
    return [stored(kept) for kept, _ in zip(found, range(query.limit), strict=False)]


def _matches(tables: Tables, kept: KeptMessage, query: Query) -> bool:
    message = kept.message
    return (
        (not query.identifier or message.id in tables.identifiers.get(query.identifier, ()))
        and (not query.interface or message.interface == query.interface)
        and (not query.kind or message.kind == query.kind)
        and (not query.state or kept.state == query.state)
        and (query.since is None or message.received_at >= query.since)
        and (query.until is None or message.received_at < query.until)
        and (not query.before or kept.seq < query.before)
    )


def stored(kept: KeptMessage) -> Stored:
    message = kept.message
    return Stored(
        id=message.id,
        seq=kept.seq,
        interface=message.interface,
        source=message.source,
        kind=message.kind,
        sender=message.sender,
        control_id=message.control_id,
        correlation_id=message.correlation_id,
        received_at=message.received_at,
        size=kept.size,
        state=kept.state,
        reason=kept.reason,
    )


def story(tables: Tables, any_id: str) -> Story | None:
    message_id = _message_of(tables, any_id)
    if message_id is None:
        return None
    kept = tables.messages[message_id]
    deliveries_ = [one for one in tables.deliveries.values() if one.message_id == message_id]
    mine = {one.delivery.id for one in deliveries_}
    return Story(
        message=stored(kept),
        violations=kept.violations,
        events=tuple(one.envelope for one in tables.events if one.message_id == message_id and not one.superseded),
        deliveries=tuple(stored_delivery(tables, one) for one in deliveries_),
        receipts=tuple(one for one in tables.receipts if one[0] in mine),
        steps=tuple(sorted((step for owner, step in tables.steps if owner == message_id), key=lambda step: step.at)),
    )


def _message_of(tables: Tables, any_id: str) -> str | None:
    def named(one: str) -> bool:
        return one == any_id or (len(any_id) >= SHORTEST_PREFIX and one.startswith(any_id))

    found = {one for one in tables.messages if named(one)}
    found |= {one.message_id for one in tables.events if named(one.envelope.id)}
    found |= {kept.message_id for one, kept in tables.deliveries.items() if named(one)}
    return found.pop() if len(found) == 1 else None


def deliveries(tables: Tables, state: DeliveryState, endpoint: str, before: int, limit: int) -> list[StoredDelivery]:
    found = (
        one
        for one in reversed(tables.deliveries.values())
        if one.state == state and (not endpoint or one.delivery.endpoint == endpoint) and (not before or one.seq < before)
    )
    return [stored_delivery(tables, kept) for kept, _ in zip(found, range(limit), strict=False)]


def stored_delivery(tables: Tables, kept: KeptDelivery) -> StoredDelivery:
    delivery, head = kept.delivery, tables.head(kept)
    return StoredDelivery(
        id=delivery.id,
        seq=kept.seq,
        endpoint=delivery.endpoint,
        subscription=delivery.subscription,
        operation=delivery.operation,
        key=delivery.key,
        ordering_key=delivery.ordering_key,
        causation_id=delivery.causation_id,
        correlation_id=delivery.correlation_id,
        created_at=kept.created_at,
        state=kept.state,
        attempts=kept.attempts,
        not_before=kept.not_before,
        reason=kept.reason,
        behind=head.delivery.id if kept.state in UNFINISHED and head is not kept else "",
    )


def tallies(tables: Tables) -> list[Tally]:
    counted = sorted(tables.tallies.items())
    return [Tally(noun=noun, name=name, state=state, count=count) for (noun, name, state), count in counted if count]
