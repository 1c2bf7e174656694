"""What people ask: find, stories, deliveries by state."""

from __future__ import annotations

from heapq import merge
from itertools import islice
from operator import itemgetter

from isthmus.core.delivery import Delivery
from isthmus.core.lookup import Answer
from isthmus.core.outcome import Receipt
from isthmus.journals.port import DeliveryState, Query, Step, Stored, StoredDelivery, Story, Tally
from isthmus.journals.rules import SHORTEST_PREFIX, receipt_step
from isthmus.journals.sqlite.intake import identifier_key, kind_token, violations
from isthmus.journals.sqlite.locating import all_seqs_of_id, beginning, newest, of_id
from isthmus.journals.sqlite.records import open_answers, open_delivery, open_event, open_head, open_step, receipts_in
from isthmus.journals.sqlite.session import LAST_SEQ, Row, Session, listed, micros, moment, moment_or_none

CANDIDATES = 100
"""Messages that carry an identifier, looked at in one go."""
_END = (1 << 62) - 1


def find(session: Session, query: Query) -> list[Stored]:
    """Driven by the narrowest index: identifier, rare state, kind, interface."""
    values: dict[str, object] = {
        "interface": query.interface or None,
        "kind": kind_token(session, query.kind) if query.kind else None,
        "state": query.state or None,
        "since": None if query.since is None else micros(query.since),
        "until": None if query.until is None else micros(query.until),
        "before": query.before or _END,
        "limit": query.limit,
    }
    if query.identifier:
        rows = _identified(session, query, values)
    elif query.state == "received":
        shelves = [number for interface, number in session.rows("shelves") if query.interface in ("", interface)]
        found = (session.rows_named("find_received", {**values, "shelf": shelf}) for shelf in shelves)
        rows = list(islice(merge(*found, key=itemgetter(0), reverse=True), query.limit))
    else:
        rows = session.rows_named(_by(query), values)
    return [_stored(session, row) for row in rows]


def _identified(session: Session, query: Query, values: dict[str, object]) -> list[Row]:
    """Candidates are looked at newest first, some at a time, until there are enough."""
    candidates = newest(session, identifier_key(session, query.identifier), query.before or LAST_SEQ)
    rows: list[Row] = []
    while len(rows) < query.limit and (some := list(islice(candidates, max(query.limit, CANDIDATES)))):
        rows += session.rows_named("find_these", {**values, "seqs": listed(some), "limit": query.limit - len(rows)})
    return rows


def _by(query: Query) -> str:
    if query.state in ("invalid", "refused", "failed"):
        return "find_by_verdict"
    if query.kind:
        return "find_by_kind"
    return "find_by_interface" if query.interface else "find_all"


def _stored(session: Session, row: Row) -> Stored:
    seq, id, interface, source, received_at, size, state, reason, head = row[:9]
    told = open_head(session.keyring, id, head)
    return Stored(
        id=id,
        seq=seq,
        interface=interface,
        source=source,
        kind=told.kind,
        sender=told.sender,
        control_id=told.control_id,
        correlation_id=id if told.correlation_id is None else told.correlation_id,
        received_at=moment(received_at),
        size=size,
        state=state,
        reason=reason,
    )


def story(session: Session, any_id: str) -> Story | None:
    length = len(any_id) if len(any_id) >= SHORTEST_PREFIX else _END  # without a prefix all of the id is compared
    owners = session.rows_named("owner_of_id", {"seqs": listed(beginning(session, any_id)), "id": any_id, "length": length})
    if len(owners) != 1:
        return None
    message: int = owners[0][0]
    row = session.row("message", message)
    if row is None:
        return None
    kept = _stored(session, row)
    deliveries_ = session.rows("deliveries_of_message", message)
    subjects = {message: kept.id, **{one[0]: one[1] for one in deliveries_}}
    told: list[tuple[int, Step]] = [(message, Step(at=kept.received_at, subject=kept.id, stage=row[9], code=row[10]))]
    told += [(one[0], Step(at=moment(one[4]), subject=one[1], stage="planned", code=one[3])) for one in deliveries_]
    steps = session.rows("steps", message)
    told += _translated(session, message, kept.id, steps)
    receipts: list[tuple[str, Receipt]] = []
    for seq, subject, at, stage, sealed in steps:
        record, name, when = open_step(session.keyring, seq, sealed), subjects[subject], moment(at)
        proofs = receipts_in(record)
        receipts += [(name, one) for one in proofs]
        if stage != "receipt":
            step = Step(at=when, subject=name, stage=stage, code=record.code, detail=record.detail, by=record.by, seconds=record.seconds)
            told.append((seq, step))
        told += [(seq, receipt_step(name, one, when)) for one in proofs]
    return Story(
        message=kept,
        violations=violations(session, message),
        events=tuple(open_event(session.keyring, one) for one in session.rows("events_of", message)),
        deliveries=tuple(_stored_delivery(session, one) for one in deliveries_),
        receipts=tuple(receipts),
        steps=tuple(step for _, step in sorted(told, key=lambda one: (one[1].at, one[0]))),
    )


def _translated(session: Session, message: int, id: str, steps: list[Row]) -> list[tuple[int, Step]]:
    """A plain translation is told by its events alone: the oldest, unless a reprocess made it."""
    first = session.row("first_event", message)
    if first is None or any(seq < first[0] for seq, _, _, stage, _ in steps if stage == "reprocessed"):
        return []
    if any(stage == "translated" for _, _, _, stage, _ in steps):
        return []
    return [(first[0], Step(at=moment(first[1]), subject=id, stage="translated"))]


def delivery(session: Session, id: str) -> Delivery | None:
    row = of_id(session, "delivery", id)
    return open_delivery(session.keyring, *row) if row else None


def answers(session: Session, event_id: str, subscription: str) -> tuple[Answer, ...]:
    rows = session.rows("answers", listed(all_seqs_of_id(session, event_id)), subscription)
    return open_answers(session.keyring, *rows[-1]) if rows else ()


def deliveries(session: Session, state: DeliveryState, endpoint: str, before: int, limit: int) -> list[StoredDelivery]:
    query = "deliveries_ended" if state in ("abandoned", "superseded") else f"deliveries_{state}"
    values: dict[str, object] = {"state": state, "endpoint": endpoint, "before": before or _END, "limit": limit}
    return [_stored_delivery(session, row) for row in session.rows_named(query, values)]


def _stored_delivery(session: Session, row: Row) -> StoredDelivery:
    seq, id, endpoint, subscription, created_at, state, attempts, not_before, reason, sealed, message, line, turn = row
    told = open_delivery(session.keyring, id, endpoint, subscription, sealed)
    if attempts is None:
        attempts = (session.row("attempts", message, seq) or (0,))[0]
    waits = state == "due" and turn is None and line is not None
    lead = session.row("lead", endpoint, line) if waits else None
    return StoredDelivery(
        id=id,
        seq=seq,
        endpoint=endpoint,
        subscription=subscription,
        operation=told.operation,
        key=told.key,
        ordering_key=told.ordering_key,
        causation_id=told.causation_id,
        correlation_id=told.correlation_id,
        created_at=moment(created_at),
        state=state,
        attempts=attempts,
        not_before=moment_or_none(not_before),
        reason=reason,
        behind=lead[0] if lead else "",
    )


def tallies(session: Session) -> list[Tally]:
    return [Tally(noun=noun, name=name, state=state, count=count) for noun, name, state, count in session.rows("tallies")]


def backlog(session: Session) -> dict[str, int]:
    return dict(session.rows("backlog"))
