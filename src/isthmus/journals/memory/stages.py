"""Receiver, translator and subscriber: arrivals, events, plans."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import islice
from typing import Literal

from msgspec import structs

from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.core.message import Message
from isthmus.core.policy import Lane
from isthmus.journals.memory.tables import KeptDelivery, KeptEvent, KeptMessage, KeptSubscription, Tables
from isthmus.journals.port import Accepted, Arrival, Planned, Position, Step, Translated
from isthmus.journals.rules import one_batch


def receive(tables: Tables, arrival: Arrival) -> Accepted:
    message = arrival.message
    first = tables.messages.get(message.id)
    if first is not None:
        tables.note(message.id, Step(at=message.received_at, subject=message.id, stage="duplicate"))
        tables.tallies["message", first.message.interface, "duplicate"] += 1
        return Accepted(message.id, first.ack, duplicate=True)
    tables.messages[message.id] = KeptMessage(
        message, len(tables.messages) + 1, arrival.state, arrival.reason, arrival.ack, len(message.body), arrival.violations
    )
    tables.identify(message.id, (value for _, value in (*arrival.identifiers, ("control", message.control_id))))
    tables.tallies["message", message.interface, arrival.state] += 1
    tables.note(message.id, Step(at=message.received_at, subject=message.id, stage=arrival.state, code=arrival.reason))
    return Accepted(message.id, arrival.ack)


def backlog(tables: Tables) -> dict[str, int]:
    return {name: count for (noun, name, state), count in tables.tallies.items() if noun == "message" and state == "received" and count}


def untranslated(tables: Tables, limit: int, interfaces: AbstractSet[str] | None) -> list[Message]:
    waiting = (
        one.message
        for one in tables.messages.values()
        if one.state == "received" and (interfaces is None or one.message.interface in interfaces)
    )
    return list(one_batch(islice(waiting, limit), lambda one: len(one.body)))


def translated(tables: Tables, results: Sequence[Translated], now: datetime) -> None:
    for result in results:
        if result.message_id not in tables.messages:
            raise Bug("unknown-message", f"the journal holds no message {result.message_id}")
    for result in results:
        kept = tables.messages[result.message_id]
        if kept.state != "received":
            continue  # translated before: a second worker, or a retry after a lost connection
        tables.move_message(kept, result.state, result.reason)
        kept.violations = tuple(dict.fromkeys((*kept.violations, *result.violations)))
        tables.identify(result.message_id, (value for _, value in result.identifiers))
        tables.note(
            result.message_id, Step(at=now, subject=result.message_id, stage=result.state, code=result.reason, detail=result.detail)
        )
        for envelope in result.events:
            if tables.current_event(envelope.id) is None:
                keep_event(tables, result.message_id, envelope, fed=True)


def keep_event(tables: Tables, message_id: str, envelope: Envelope, *, fed: bool) -> None:
    tables.events.append(KeptEvent(structs.replace(envelope, seq=len(tables.events) + 1), message_id, fed))
    tables.tallies["event", envelope.type, "kept"] += 1


def enrol(tables: Tables, name: str, types: frozenset[str], lane: Lane, start: Literal["now", "beginning"]) -> Position:
    kept = tables.subscriptions.get(name)
    if kept is None:
        kept = KeptSubscription(name, types, lane, len(tables.events) if start == "now" else 0)
        tables.subscriptions[name] = kept
    kept.types, kept.lane = types, lane
    return position(tables, kept)


def position(tables: Tables, kept: KeptSubscription) -> Position:
    return Position(subscription=kept.name, cursor=kept.cursor, waiting=len(tables.waiting(kept)), stopped=kept.stopped, detail=kept.detail)


def upcoming(tables: Tables, name: str, limit: int) -> list[Envelope]:
    kept = tables.subscription(name)
    return [] if kept.stopped else list(one_batch(tables.waiting(kept)[:limit], lambda one: len(one.body)))


def planned(tables: Tables, name: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None) -> bool:
    kept = tables.subscription(name)
    if after is not None and kept.cursor != after:
        return False
    for result in results:
        if tables.current_event(result.event_id) is None:
            raise Bug("unknown-event", f"the journal holds no event {result.event_id}")
    for result in results:
        keep_plan(tables, name, result, now)
    kept.cursor = max(kept.cursor, cursor)
    return True


def keep_plan(tables: Tables, subscription: str, result: Planned, now: datetime) -> None:
    event = tables.current_event(result.event_id)
    if event is None:
        raise Bug("unknown-event", f"the journal holds no event {result.event_id}")
    if result.answers:
        tables.answers[result.event_id, subscription] = result.answers
    for planned_one in result.deliveries:
        if planned_one.id not in tables.deliveries:
            seq = len(tables.deliveries) + 1
            delivery = structs.replace(planned_one, subscription=subscription)
            lane = tables.lane(subscription)
            keep_delivery(tables, KeptDelivery(delivery, seq, seq, event.message_id, created_at=now, ready_at=now, lane=lane))


def keep_delivery(tables: Tables, kept: KeptDelivery) -> None:
    delivery = kept.delivery
    tables.deliveries[delivery.id] = kept
    tables.tallies["delivery", delivery.subscription, kept.state] += 1
    tables.note(kept.message_id, Step(at=kept.created_at, subject=delivery.id, stage="planned", code=delivery.subscription))
