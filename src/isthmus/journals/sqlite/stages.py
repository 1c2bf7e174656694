"""Translator and subscriber: each call one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.core.message import Message
from isthmus.journals.port import Planned, Position, Translated
from isthmus.journals.sqlite.intake import keep_identifiers, keep_violations, violations
from isthmus.journals.sqlite.locator import Entry, id_key, token_key
from isthmus.journals.sqlite.records import (
    StepRecord,
    open_body,
    open_event,
    open_head,
    seal_answers,
    seal_delivery,
    seal_event,
)  # fmt: skip
from isthmus.journals.sqlite.session import Row, Session, listed, micros, moment, place, unknown


def untranslated(session: Session, limit: int) -> list[Message]:
    return [_message(session, row) for row in session.rows("untranslated", limit)]


def _message(session: Session, row: Row) -> Message:
    _, id, interface, source, received_at, head, sealed = row
    told = open_head(session.keyring, id, head)
    return Message(
        id=id,
        interface=interface,
        source=source,
        body=open_body(session.keyring, id, sealed),
        received_at=moment(received_at),
        correlation_id=id if told.correlation_id is None else told.correlation_id,
        kind=told.kind,
        sender=told.sender,
        control_id=told.control_id,
    )


def message(session: Session, id: str) -> Message | None:
    row = session.of_id("message_with_body", id)
    return _message(session, row) if row else None


def translated(session: Session, results: Sequence[Translated], now: datetime) -> None:
    waiting = {row[0]: row[1:] for row in session.rows("translating", session.seqs_of_ids(one.message_id for one in results))}
    for result in results:
        if result.message_id not in waiting:
            raise unknown("message", result.message_id)
    events: list[tuple[int, int, Envelope]] = []
    done: list[Row] = []
    verdicts: list[Row] = []
    states: list[tuple[str, str]] = []
    for result in results:
        seq, shelf, interface, waits = waiting[result.message_id]
        if not waits:
            continue  # translated before: a second worker, or a retry after a lost answer
        waiting[result.message_id] = (seq, shelf, interface, 0)
        done.append((seq,))
        states.append((interface, result.state))
        if not result.events or result.state != "translated" or result.reason or result.detail:  # else the events tell when
            session.step(seq, seq, now, result.state, StepRecord(result.reason, result.detail))
        if result.state != "translated" or result.reason:
            verdicts.append((seq, result.state, result.reason))
        if result.identifiers:
            keep_identifiers(session, seq, result.identifiers)
        if result.violations:
            keep_violations(session, seq, tuple(dict.fromkeys((*violations(session, seq), *result.violations))))
        events += [(seq, shelf, event) for event in {event.id: event for event in result.events}.values()]
    session.count_all("message", states)
    session.count_all("message", ((interface, "received") for interface, _ in states), -1)
    session.many("drop_untranslated", done)
    session.many("keep_verdict", verdicts)
    keep_events(session, events, now, fed=True)


def keep_events(session: Session, events: list[tuple[int, int, Envelope]], now: datetime, *, fed: bool) -> None:
    """Each with the seq and shelf of its message."""
    rows: list[Row] = []
    bodies: list[Row] = []
    entries: list[Entry] = []
    at = micros(now)
    for message, shelf, event in events:
        seq = session.next()
        rows.append((seq, event.id, message, shelf, event.type, event.version, at, fed))
        bodies.append((place(shelf, seq), seal_event(session.keyring, event)))
        entries.append((id_key(event.id), seq))
    session.index(entries)
    session.count_all("event", ((event.type, "kept") for _, _, event in events))
    session.many("keep_event", rows)
    session.many("keep_body", bodies)


class _Subscription(NamedTuple):
    name: str
    types: tuple[str, ...]
    cursor: int
    stopped: str
    detail: str


def _subscription(session: Session, row: Row) -> _Subscription:
    name, types, cursor, stopped, sealed = row
    detail = session.keyring.open(sealed, b"subscription " + name.encode()).decode() if sealed else ""
    return _Subscription(name, tuple(msgspec.json.decode(types)), cursor, stopped, detail)


def _enrolled(session: Session, name: str) -> _Subscription:
    row = session.row("subscription", name)
    if row is None:
        raise Bug("not-enrolled", f"subscription {name} is unknown to the journal: enrol it first")
    return _subscription(session, row)


def _position(session: Session, one: _Subscription) -> Position:
    waiting = sum((session.row("waiting", type, one.cursor) or (0,))[0] for type in one.types)
    return Position(subscription=one.name, cursor=one.cursor, waiting=waiting, stopped=one.stopped, detail=one.detail)


def enrol(session: Session, name: str, types: frozenset[str], start: Literal["now", "beginning"]) -> Position:
    cursor = (session.row("last_event") or (0,))[0] if start == "now" else 0
    session.run("keep_subscription", name, listed(sorted(types)), cursor)
    return _position(session, _enrolled(session, name))


def positions(session: Session) -> list[Position]:
    return [_position(session, _subscription(session, row)) for row in session.rows("subscriptions")]


def upcoming(session: Session, name: str, limit: int) -> list[Envelope]:
    one = _enrolled(session, name)
    if one.stopped:
        return []
    rows = [row for type in one.types for row in session.rows("upcoming", type, one.cursor, limit)]
    if len(one.types) > 1:
        rows = sorted(rows, key=lambda row: row[0])[:limit]
    return [open_event(session.keyring, row) for row in rows]


def stop(session: Session, name: str, reason: str, detail: str) -> None:
    _enrolled(session, name)
    session.run("stop", reason, session.keyring.seal(detail.encode(), b"subscription " + name.encode()) if detail else None, name)


def planned(session: Session, name: str, cursor: int, results: Sequence[Planned], now: datetime) -> None:
    _enrolled(session, name)
    events = {row[0]: row[1:] for row in session.rows("known_events", session.seqs_of_ids(one.event_id for one in results))}
    for result in results:
        if result.event_id not in events:
            raise unknown("event", result.event_id)
    known = {
        row[0] for row in session.rows("known_deliveries", session.seqs_of_ids(one.id for result in results for one in result.deliveries))
    }
    fresh: list[tuple[int, int, Delivery]] = []
    for result in results:
        event, message, shelf = events[result.event_id]
        for delivery in result.deliveries:
            if delivery.id not in known:
                known.add(delivery.id)
                fresh.append((message, shelf, delivery if delivery.subscription == name else structs.replace(delivery, subscription=name)))
        if result.answers:
            keep_answers(session, name, event, shelf, result)
    keep_deliveries(session, fresh, now)
    session.run("move_cursor", cursor, name)


def keep_answers(session: Session, subscription: str, event: int, shelf: int, result: Planned) -> None:
    """The newest are the ones that count."""
    for (old,) in session.rows("replaced_answer", event, subscription):
        session.run("drop_body", old)
    where = place(shelf, session.next())
    session.run("keep_body", where, seal_answers(session.keyring, where, result.answers))
    session.run("keep_answer", event, subscription, where)


def keep_deliveries(session: Session, fresh: list[tuple[int, int, Delivery]], now: datetime) -> None:
    """Each with the seq and shelf of its message; due at once unless another of its line is before it."""
    keyring, at = session.keyring, micros(now)
    rows: list[Row] = []
    bodies: list[Row] = []
    due: list[Row] = []
    entries: list[Entry] = []
    for message, shelf, delivery in fresh:
        seq = session.next()
        key = key_token(session, delivery.endpoint, delivery.key)
        rows.append((seq, delivery.id, message, shelf, delivery.endpoint, delivery.subscription, at, seq))
        bodies.append((place(shelf, seq), seal_delivery(keyring, delivery)))
        due.append((seq, delivery.endpoint, line_token(session, delivery), seq, key, at, 0))
        entries.append((id_key(delivery.id), seq))
        entries.append((token_key(key), seq))
    session.index(entries)
    session.count_all("delivery", ((delivery.subscription, "due") for _, _, delivery in fresh))
    session.many("keep_delivery", rows)
    session.many("keep_body", bodies)
    session.many("keep_due", due)


def key_token(session: Session, endpoint: str, key: str) -> bytes:
    return session.keyring.token("key " + endpoint, key)


def line_token(session: Session, delivery: Delivery) -> bytes | None:
    return session.keyring.token("line", delivery.ordering_key) if delivery.ordering_key else None
