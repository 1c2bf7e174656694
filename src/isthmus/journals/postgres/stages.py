"""Stages 1 and 2: the translator's results, and each subscription's place and plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal
from zlib import crc32

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.core.message import Message
from isthmus.core.policy import LANES, Lane
from isthmus.journals.port import MOST_BYTES, Planned, Position, Translated
from isthmus.journals.postgres.archive import with_body
from isthmus.journals.postgres.history import History
from isthmus.journals.postgres.locator import Place, id_entry, uuid_of
from isthmus.journals.postgres.rows import Row, columns
from isthmus.journals.postgres.store import Session


async def untranslated(session: Session, limit: int, interfaces: AbstractSet[str] | None) -> list[Message]:
    if interfaces is None:
        rows = await session.rows("untranslated", limit, MOST_BYTES)
    else:
        rows = await session.rows("untranslated_of", limit, MOST_BYTES, sorted(interfaces))
    session.places.remember((row["id"], Place(row["seq"])) for row in rows)
    return [await with_body(session, row) for row in rows]


async def translated(session: Session, results: Sequence[Translated], now: datetime) -> None:
    await session.run("order_events")
    ids = list(dict.fromkeys(one.message_id for one in results))
    seqs = await _places(session, ids)
    for message_id in ids:
        if message_id not in seqs:
            raise Bug("unknown-message", f"the journal holds no message {message_id}")
    taken = {row["seq"]: row["interface"] for row in await session.rows("take_untranslated", list(seqs.values()))}
    history = History(session.seals)
    events: list[tuple[int, Envelope]] = []
    troubles: list[tuple[object, ...]] = []
    for result in results:
        seq = seqs[result.message_id]
        interface = taken.pop(seq, None)
        if interface is None:
            continue  # translated before: by a second worker, or by us when the answer was lost
        events += [(seq, one) for one in result.events]
        if result.state != "translated":
            troubles.append((seq, result.state, result.reason))
        history.move("message", interface, "received", result.state)
        history.violations(seq, result.violations)
        history.identifiers(seq, result.identifiers)
        history.step(seq, seq, result.message_id, now, result.state, code=result.reason, detail=result.detail)
    await keep_events(session, history, events, now, fed=True)
    if troubles:
        await session.run("keep_troubles", *columns(troubles, 3))
    await history.keep(session)


async def _places(session: Session, ids: Sequence[str]) -> dict[str, int]:
    """Numbers of the messages that the journal knows; remembered, or looked up."""
    places = {one: session.places.recall(one) for one in ids}
    found = {one: place.seq for one, place in places.items() if place is not None}
    strange = [one for one in ids if one not in found]
    if strange:
        rows = await session.rows("messages_by_id", [uuid_of(one) for one in strange])
        found.update({strange[row["n"] - 1]: row["seq"] for row in rows})
    return found


async def keep_events(session: Session, history: History, events: Iterable[tuple[int, Envelope]], now: datetime, *, fed: bool) -> None:
    """Events with the numbers of their messages; the caller holds the lock ``order_events``. A known one is kept once."""
    once = {(message, one.id): (message, one) for message, one in reversed(list(events))}
    rows = [
        (
            message,
            one.id,
            one.type,
            one.version,
            one.correlation_id,
            one.causation_id,
            len(one.body),
            session.seals.pair("event", one.id, one.key, one.ordering_key),
            session.seals.body("event", one.id, one.body),
            *id_entry(one.id),
        )
        for message, one in reversed(once.values())
    ]
    if rows:
        for row in await session.rows("keep_events", *columns(rows, 11), now, fed):
            history.count("event", row["type"], "kept", row["count"])


async def enrol(session: Session, subscription: str, types: frozenset[str], lane: Lane, start: Literal["now", "beginning"]) -> Position:
    await session.run("order_events")
    if await session.value("enrol", subscription, sorted(types), LANES.index(lane), start == "now") is not None:
        await session.run("recount", subscription)
    await session.run("set_lane", subscription, LANES.index(lane))
    return (await positions(session, subscription))[0]


async def positions(session: Session, subscription: str | None = None) -> list[Position]:
    return [
        Position(
            subscription=row["name"],
            cursor=row["cursor"],
            waiting=row["waiting"],
            stopped=row["stopped"],
            detail=session.seals.open_detail(row["name"], row["detail"]),
        )
        for row in await session.rows("positions", subscription)
    ]


async def upcoming(session: Session, subscription: str, limit: int) -> list[Envelope]:
    rows = await session.rows("subscription", subscription)
    if not rows:
        raise _not_enrolled(subscription)
    types, cursor, stopped = rows[0]
    return [] if stopped else [session.seals.envelope(row) for row in await session.rows("upcoming", types, cursor, limit, MOST_BYTES)]


async def planned(
    session: Session, subscription: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None
) -> bool:
    await lock_endpoints(session, (one.endpoint for result in results for one in result.deliveries))
    stands = await session.value("stand", subscription)
    if stands is None:
        raise _not_enrolled(subscription)
    if after not in (None, stands):
        return False
    events: dict[str, Row] = {row["id"]: row for row in await session.rows("passing", subscription, cursor)}
    await session.run("move_cursor", subscription, cursor, len(events))
    if results:
        events |= await events_by_id(session, [one.event_id for one in results if one.event_id not in events])
        history = History(session.seals)
        for result in results:
            if result.event_id not in events:
                raise Bug("unknown-event", f"the journal holds no event {result.event_id}")
        rows = [(events[result.event_id]["message"], one, None) for result in results for one in result.deliveries]
        await keep_deliveries(session, history, subscription, rows, now)
        await keep_answers(session, subscription, results, events)
        await history.keep(session)
    return True


async def events_by_id(session: Session, ids: Sequence[str]) -> dict[str, Row]:
    """Of two under one id the later one, which is the current one."""
    ids = list(dict.fromkeys(ids))
    return {row["id"]: row for row in await session.rows("events_by_id", ids, [id_entry(one).token for one in ids])} if ids else {}


async def keep_deliveries(
    session: Session,
    history: History,
    subscription: str,
    deliveries: Iterable[tuple[int, Delivery, int | None]],
    now: datetime,
) -> None:
    """Deliveries with the numbers of their messages, and their rank where it is not their own number. Known ids are kept once.

    The caller holds the locks of their endpoints.
    """
    once = {one.id: (message, one, rank) for message, one, rank in reversed(list(deliveries))}
    rows = [
        (
            message,
            one.id,
            one.endpoint,
            subscription,
            one.operation,
            one.content_type,
            one.correlation_id,
            one.causation_id,
            one.supersedes,
            rank,
            len(one.body),
            session.seals.line(one.ordering_key),
            session.seals.pair("delivery", one.id, one.key, one.ordering_key),
            session.seals.body("delivery", one.id, one.body),
            *id_entry(one.id),
            *session.seals.key(one.endpoint, one.key),
        )
        for message, one, rank in reversed(once.values())
    ]
    if rows:
        for row in await session.rows("keep_deliveries", *columns(rows, 18), now):
            history.count("delivery", row["subscription"], "due", row["count"])


async def keep_answers(session: Session, subscription: str, results: Sequence[Planned], events: dict[str, Row]) -> None:
    answers = {
        one.event_id: (events[one.event_id]["seq"], session.seals.answers(one.event_id, subscription, one.answers))
        for one in results
        if one.answers
    }
    if answers:
        await session.run("keep_answers", *columns(answers.values(), 2), subscription)


async def set_stopped(session: Session, subscription: str, reason: str, detail: str) -> None:
    if await session.value("set_stopped", subscription, reason, session.seals.detail(subscription, detail)) is None:
        raise _not_enrolled(subscription)


async def lock_endpoints(session: Session, endpoints: Iterable[str]) -> None:
    """The first lock of every transaction that changes who leads a line; in one order, so that two never wait in a circle."""
    numbers = sorted({crc32(one.encode()) - (1 << 31) for one in endpoints})
    if numbers:
        await session.run("lock_endpoints", numbers)


def _not_enrolled(subscription: str) -> Bug:
    return Bug("not-enrolled", f"subscription {subscription} is unknown to the journal: enrol it first")
