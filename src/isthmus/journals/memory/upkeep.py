"""The pruner: bodies of finished work go, history stays."""

from __future__ import annotations

from datetime import datetime

from msgspec import structs

from isthmus.journals.memory.tables import KeptDelivery, KeptEvent, KeptMessage, Tables
from isthmus.journals.port import Pruned, Step


def prune(tables: Tables, interface: str, before: datetime, now: datetime, limit: int) -> Pruned:
    old = [
        one
        for one in tables.messages.values()
        if one.message.interface == interface and one.message.received_at < before and not one.pruned and _finished(tables, one)
    ][:limit]
    messages = events = deliveries = freed = 0
    for kept in old:
        messages, freed = messages + 1, freed + len(kept.message.body)
        kept.message, kept.pruned = structs.replace(kept.message, body=b""), True
        tables.note(kept.message.id, Step(at=now, subject=kept.message.id, stage="pruned"))
        for event in _events(tables, kept):
            events, freed = events + 1, freed + len(event.envelope.body)
            event.envelope, event.fed = structs.replace(event.envelope, body=b""), False
            for subscription in tables.subscriptions:
                tables.answers.pop((event.envelope.id, subscription), None)
        for delivery in _deliveries(tables, kept):
            deliveries, freed = deliveries + 1, freed + len(delivery.delivery.body)
            delivery.delivery, delivery.pruned = structs.replace(delivery.delivery, body=b""), True
    return Pruned(messages, events, deliveries, freed)


def _finished(tables: Tables, kept: KeptMessage) -> bool:
    if kept.state in ("received", "failed"):
        return False
    if any(one.state not in ("delivered", "abandoned", "superseded") for one in _deliveries(tables, kept)):
        return False
    return not any(one.message_id == kept.message.id and _awaited(tables, one) for one in tables.events)


def _awaited(tables: Tables, event: KeptEvent) -> bool:
    return any(event.envelope in tables.waiting(one) for one in tables.subscriptions.values())


def _events(tables: Tables, kept: KeptMessage) -> list[KeptEvent]:
    return [one for one in tables.events if one.message_id == kept.message.id]


def _deliveries(tables: Tables, kept: KeptMessage) -> list[KeptDelivery]:
    return [one for one in tables.deliveries.values() if one.message_id == kept.message.id]


def size(tables: Tables) -> int:
    return (
        sum(len(one.message.body) for one in tables.messages.values())
        + sum(len(one.envelope.body) for one in tables.events)
        + sum(len(one.delivery.body) for one in tables.deliveries.values())
    )
