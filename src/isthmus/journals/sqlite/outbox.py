"""Courier and lifeline: each call one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from isthmus.core.delivery import Delivery
from isthmus.core.outcome import Receipt
from isthmus.core.policy import LANES, Lane
from isthmus.journals.port import Claimed, Settlement
from isthmus.journals.rules import attempt_code, attempt_tag, one_batch, receipts_of
from isthmus.journals.sqlite.locating import newest, seqs_of_ids
from isthmus.journals.sqlite.records import StepRecord, open_delivery
from isthmus.journals.sqlite.session import LAST_SEQ, Row, Session, micros, moment, unknown
from isthmus.journals.sqlite.stages import delivery_key


def claim(session: Session, endpoint: str, limit: int, now: datetime, owner: str, *, lane: Lane | None) -> list[Claimed]:
    taken = list(one_batch(_ready(session, endpoint, limit, micros(now), lane), lambda one: len(one[1].delivery.body)))
    session.many("take", [(owner, row[0]) for row, _ in taken])
    session.count_all("delivery", ((one.delivery.subscription, row[2]) for row, one in taken), -1)
    session.count_all("delivery", ((one.delivery.subscription, "sending") for _, one in taken))
    return [one for _, one in taken]


def _ready(session: Session, endpoint: str, limit: int, now: int, lane: Lane | None) -> Iterator[tuple[Row, Claimed]]:
    """What may be claimed, lane by lane; each with its row."""
    left = limit
    for number, name in enumerate(LANES):
        if lane not in (None, name):
            continue
        for row in session.each("claim", endpoint, number, now, left):
            left -= 1
            seq, attempts, _, uncertain = row
            delivery, created_at = session.recent.deliveries.get(seq) or _delivery(session, seq)
            yield row, Claimed(delivery=delivery, created_at=created_at, lane=name, attempt=attempts + 1, unknown=bool(uncertain))
        if left <= 0:
            return


def _delivery(session: Session, seq: int) -> tuple[Delivery, datetime]:
    id, endpoint, subscription, created_at, sealed = session.the_row("due_delivery", seq)
    return open_delivery(session.keyring, id, endpoint, subscription, sealed), moment(created_at)


def settle(session: Session, settlements: Sequence[Settlement], owner: str) -> None:
    found = {row[0]: row[1:] for row in session.rows("settling", seqs_of_ids(session, [one.delivery_id for one in settlements]))}
    for one in settlements:
        if one.delivery_id not in found:
            raise unknown("delivery", one.delivery_id)
    batch = _Batch(session)
    for one in settlements:
        row = found[one.delivery_id]
        if row[4] == "sending" and row[5] == owner:
            found[one.delivery_id] = (*row[:4], "settled", *row[5:])
            batch.settle(one, row)
        else:
            _too_late(session, one, row, owner)
    batch.write()


def _too_late(session: Session, one: Settlement, row: Row, owner: str) -> None:
    """The claim was lost (released, or settled before): no state changes, but history says that it came."""
    seq, message, endpoint = row[:3]
    session.count("attempt", endpoint, "too-late")
    session.step(message, seq, one.ended_at, "too-late", StepRecord(*attempt_code(one.outcome), owner))


class _Batch:
    """Gathers what settlements change, so that each statement runs once for all of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._attempts: list[tuple[str, str]] = []
        self._receipts: list[tuple[str, str]] = []
        self._states: list[tuple[str, str]] = []
        self._gone: list[Row] = []
        self._back: list[Row] = []
        self._dead: list[Row] = []
        self._ended: list[Row] = []
        self._freed: dict[Row, None] = {}
        self._moved: dict[Row, None] = {}

    def settle(self, one: Settlement, row: Row) -> None:
        seq, message, endpoint, subscription, _, _, line, replaced, successor = row
        outcome, session = one.outcome, self._session
        code, detail = attempt_code(outcome)
        seconds = (one.ended_at - one.started_at).total_seconds()
        receipts = receipts_of(outcome)
        proofs = tuple((receipt.kind, receipt.code, receipt.reference) for receipt in receipts)
        session.step(message, seq, one.ended_at, "attempt", StepRecord(code, detail, "", seconds, proofs))
        self._attempts.append((endpoint, attempt_tag(outcome)))
        self._receipts += [(subscription, receipt.kind) for receipt in receipts]
        state = "superseded" if replaced and one.state != "unknown" else one.state
        self._states.append((subscription, state))
        if state in ("delivered", "superseded"):
            self._gone.append((seq,))
            if line is not None:
                self._freed[endpoint, line] = None
        if state == "superseded":
            self._ended.append((seq, "superseded", ""))
            session.step(message, seq, one.ended_at, "superseded", StepRecord("", successor))
        elif state == "dead":
            self._dead.append((one.reason, seq))
            session.step(message, seq, one.ended_at, "dead", StepRecord(one.reason))
        elif state in ("due", "unknown"):
            at = micros(one.not_before or one.ended_at)
            not_before = None if one.not_before is None else micros(one.not_before)
            self._back.append((state, state == "unknown", at, at, not_before, one.reason, seq))
            if line is not None and state == "due":
                self._moved[endpoint, line] = None

    def write(self) -> None:
        session = self._session
        session.count_all("attempt", self._attempts)
        session.count_all("receipt", self._receipts)
        session.count_all("delivery", self._states)
        session.count_all("delivery", ((subscription, "sending") for subscription, _ in self._states), -1)
        session.many("drop_due", self._gone)
        session.many("put_back", self._back)
        session.many("put_dead", self._dead)
        session.many("keep_ended", self._ended)
        session.many("promote", list(self._freed))
        for endpoint, line in self._moved:
            align(session, endpoint, line)


def align(session: Session, endpoint: str, line: bytes | None) -> None:
    """Whose turn is it in this line? Nobody's while one of it is sending, unknown or dead; else the oldest's."""
    if line is None:
        return
    session.run("demote", endpoint, line)
    if session.row("held", endpoint, line) is None:
        session.run("promote", endpoint, line)


def release(session: Session, owner: str, now: datetime) -> int:
    rows = session.rows("owned", owner)
    at = micros(now)
    for _, seq, message, endpoint, subscription in rows:
        session.run("put_back", "unknown", True, at, at, None, "owner-gone", seq)
        session.count("delivery", subscription, "sending", -1)
        session.count("delivery", subscription, "unknown")
        session.count("attempt", endpoint, "lost")
        session.step(message, seq, now, "unknown", StepRecord("owner-gone", "", owner))
    return len(rows)


def owners(session: Session) -> list[str]:
    return [row[0] for row in session.rows("owners")]


def next_due(session: Session, endpoint: str) -> datetime | None:
    rows = (session.row("next_due", endpoint, lane) for lane in range(len(LANES)))
    return min((moment(row[0]) for row in rows if row and row[0] is not None), default=None)


def receipt(session: Session, key: str, endpoint: str, found: Receipt, now: datetime) -> bool:
    candidates = newest(session, delivery_key(session, endpoint, key), LAST_SEQ)
    row = next((row for seq in candidates if (row := session.row("delivery_at", seq, endpoint))), None)
    if row is None:
        return False
    seq, message, subscription = row
    session.count("receipt", subscription, found.kind)
    session.step(message, seq, now, "receipt", StepRecord(receipts=((found.kind, found.code, found.reference),)))
    return True
