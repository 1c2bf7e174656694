"""Translator and subscriber: each call one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Literal, NamedTuple

import msgspec
from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.core.message import Message
from isthmus.core.policy import LANES, Lane
from isthmus.journals.port import Planned, Position, Translated
from isthmus.journals.rules import one_batch
from isthmus.journals.sealing.chunks import chunks, chunks_for, open_chunks, open_piece
from isthmus.journals.sqlite.intake import keep_identifiers, keep_violations, violations
from isthmus.journals.sqlite.locating import of_id, seqs_of_ids
from isthmus.journals.sqlite.locator import entry, id_key, token_key
from isthmus.journals.sqlite.records import (
    StepRecord,
    body_aad,
    open_event,
    open_head,
    seal_answers,
    seal_delivery,
    seal_event,
)  # fmt: skip
from isthmus.journals.sqlite.session import LAST_SEQ, Listener, Row, Session, listed, micros, moment, place, unknown

NORMAL = LANES.index("normal")


def untranslated(session: Session, limit: int, interfaces: AbstractSet[str] | None) -> list[Message]:
    shelves = [number for interface, number in session.rows("shelves") if interfaces is None or interface in interfaces]
    waiting = merge(*(session.each("untranslated", shelf, limit) for shelf in shelves))
    found = (session.recent.messages.get(seq) or session.the_row("waiting_message", seq) for (seq,) in islice(waiting, limit))
    batch = one_batch(found, lambda one: len(one.body) if isinstance(one, Message) else one[5])
    return [one if isinstance(one, Message) else _message(session, one) for one in batch]


def _message(session: Session, row: Row) -> Message:
    _, id, interface, source, received_at, size, head, where, sealed = row
    told = open_head(session.keyring, id, head)
    if sealed is None:
        body = b""  # pruned
    elif chunks(size):
        body = open_chunks(session.keyring, _chunks(session, where, range(chunks(size))), size, body_aad(id))
    else:
        body = session.keyring.open(sealed, body_aad(id))
    return Message(
        id=id,
        interface=interface,
        source=source,
        body=body,
        received_at=moment(received_at),
        correlation_id=id if told.correlation_id is None else told.correlation_id,
        kind=told.kind,
        sender=told.sender,
        control_id=told.control_id,
    )


def message(session: Session, id: str) -> Message | None:
    row = of_id(session, "message_with_body", id)
    return _message(session, row) if row else None


def piece(session: Session, id: str, start: int, length: int) -> bytes:
    row = of_id(session, "place_of_message", id)
    if row is None:
        return b""
    where, size = row
    if chunks(size):
        sealed = _chunks(session, where, chunks_for(size, start, length))
        return open_piece(session.keyring, sealed, size, body_aad(id), start=start, length=length)
    body = session.row("body", where)
    return session.keyring.open(body[0], body_aad(id))[start : start + length] if body else b""


def _chunks(session: Session, where: int, numbers: range) -> Iterator[bytes]:
    return (sealed for (sealed,) in session.each("chunks", where, numbers.start, numbers.stop))


def translated(session: Session, results: Sequence[Translated], now: datetime) -> None:
    waiting = {row[0]: row[1:] for row in session.rows("translating", seqs_of_ids(session, [one.message_id for one in results]))}
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
        done.append((shelf, seq))
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
    ids: list[bytes] = []
    at = micros(now)
    for message, shelf, event in events:
        seq = session.next()
        rows.append((seq, event.id, message, shelf, event.type, event.version, at, fed))
        if fed:
            session.recent.events.keep(seq, structs.replace(event, seq=seq), len(event.body))
        bodies.append((place(shelf, seq), seal_event(session.keyring, event)))
        ids.append(entry(id_key(event.id), seq))
    session.index(ids=ids)
    kept = Counter(event.type for _, _, event in events)
    for type, times in kept.items():
        session.count("event", type, "kept", times)
    if fed:
        waits = [(sum(kept[type] for type in one.types), name) for name, one in session.listeners.items()]
        session.many("wait", [row for row in waits if row[0]])
    session.many("keep_event", rows)
    session.many("keep_body", bodies)


class _Subscription(NamedTuple):
    name: str
    types: tuple[str, ...]
    cursor: int
    waiting: int
    stopped: str
    detail: str


def _subscription(session: Session, row: Row) -> _Subscription:
    name, types, cursor, waiting, stopped, sealed = row
    detail = session.keyring.open(sealed, b"subscription " + name.encode()).decode() if sealed else ""
    return _Subscription(name, tuple(msgspec.json.decode(types)), cursor, waiting, stopped, detail)


def _enrolled(session: Session, name: str) -> _Subscription:
    row = session.row("subscription", name)
    if row is None:
        raise Bug("not-enrolled", f"subscription {name} is unknown to the journal: enrol it first")
    return _subscription(session, row)


def _position(one: _Subscription) -> Position:
    return Position(subscription=one.name, cursor=one.cursor, waiting=one.waiting, stopped=one.stopped, detail=one.detail)


def enrol(session: Session, name: str, types: frozenset[str], lane: Lane, start: Literal["now", "beginning"]) -> Position:
    """Events are counted only for a new subscription, and where its types have changed."""
    before = session.listeners.get(name)
    after = session.listeners[name] = Listener(types, LANES.index(lane))
    if after != before:
        cursor = (session.row("last_event") or (0,))[0] if start == "now" else 0
        session.run("keep_subscription", name, listed(sorted(types)), after.lane, cursor)
    one = _enrolled(session, name)
    if before is None or before.types != types:
        session.run("wait", _events(session, types, one.cursor, LAST_SEQ) - one.waiting, name)
        one = _enrolled(session, name)
    return _position(one)


def _events(session: Session, types: Iterable[str], after: int, until: int) -> int:
    """How many events of these types subscriptions see between two places."""
    return sum((session.row("count_events", type, after, until) or (0,))[0] for type in types)


def positions(session: Session) -> list[Position]:
    return [_position(_subscription(session, row)) for row in session.rows("subscriptions")]


def upcoming(session: Session, name: str, limit: int) -> list[Envelope]:
    one = _enrolled(session, name)
    if one.stopped:
        return []
    waiting = islice(merge(*(session.each("upcoming", type, one.cursor, limit) for type in one.types)), limit)
    return list(one_batch((_event(session, seq) for (seq,) in waiting), lambda event: len(event.body)))


def _event(session: Session, seq: int) -> Envelope:
    return session.recent.events.get(seq) or open_event(session.keyring, session.the_row("event", seq))


def stop(session: Session, name: str, reason: str, detail: str) -> None:
    _enrolled(session, name)
    session.run("stop", reason, session.keyring.seal(detail.encode(), b"subscription " + name.encode()) if detail else None, name)


def planned(session: Session, name: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None) -> bool:
    one = _enrolled(session, name)
    if after is not None and one.cursor != after:
        return False
    events = {row[0]: row[1:] for row in session.rows("known_events", seqs_of_ids(session, [one.event_id for one in results]))}
    for result in results:
        if result.event_id not in events:
            raise unknown("event", result.event_id)
    known = {
        row[0]
        for row in session.rows("known_deliveries", seqs_of_ids(session, [one.id for result in results for one in result.deliveries]))
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
    if cursor > one.cursor:
        session.run("move_cursor", cursor, _events(session, one.types, one.cursor, cursor), name)
    return True


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
    ids: list[bytes] = []
    keys: list[bytes] = []
    for message, shelf, delivery in fresh:
        seq = session.next()
        listener = session.listeners.get(delivery.subscription)
        lane = NORMAL if listener is None else listener.lane
        rows.append((seq, delivery.id, message, shelf, delivery.endpoint, delivery.subscription, lane, at, seq))
        bodies.append((place(shelf, seq), seal_delivery(keyring, delivery)))
        session.recent.deliveries.keep(seq, (delivery, now), len(delivery.body))
        due.append((seq, delivery.endpoint, line_token(session, delivery), seq, lane, at, 0))
        ids.append(entry(id_key(delivery.id), seq))
        keys.append(entry(delivery_key(session, delivery.endpoint, delivery.key), seq))
    session.index(ids=ids, identifiers=keys)
    session.count_all("delivery", ((delivery.subscription, "due") for _, _, delivery in fresh))
    session.many("keep_delivery", rows)
    session.many("keep_body", bodies)
    session.many("keep_due", due)


def delivery_key(session: Session, endpoint: str, key: str) -> bytes:
    """Under which a delivery is found by its business key."""
    return token_key(session.keyring.token("key " + endpoint, key))


def line_token(session: Session, delivery: Delivery) -> bytes | None:
    return session.keyring.token("line", delivery.ordering_key) if delivery.ordering_key else None
