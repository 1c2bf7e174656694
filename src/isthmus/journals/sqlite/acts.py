"""What people do: redeliver, abandon, reprocess; each call one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.ids import derive_id
from isthmus.journals.port import Planned, Translated
from isthmus.journals.rules import REDELIVERABLE, UNFINISHED, Act, same_bytes, same_event
from isthmus.journals.sqlite.intake import keep_identifiers, keep_violations
from isthmus.journals.sqlite.locating import of_id, seqs_of_ids
from isthmus.journals.sqlite.outbox import align
from isthmus.journals.sqlite.records import StepRecord, open_delivery, open_event
from isthmus.journals.sqlite.session import Session, micros, unknown
from isthmus.journals.sqlite.stages import keep_answers, keep_deliveries, keep_events, line_token


class _Kept(NamedTuple):
    id: str
    seq: int
    message: int
    shelf: int
    endpoint: str
    subscription: str
    lane: int
    state: str
    rank: int
    line: bytes | None
    reason: str
    sealed: bytes | None
    """None where the body was pruned."""
    successor: str
    replaced: int
    attempts: int


def _kept(session: Session, id: str) -> _Kept | None:
    row = of_id(session, "act_on", id)
    return _Kept(*row) if row else None


def redeliver(session: Session, ids: Sequence[str], act: Act) -> list[str]:
    done: list[str] = []
    at = micros(act.at)
    for id in dict.fromkeys(ids):
        kept = _kept(session, id)
        if kept is None or kept.state not in REDELIVERABLE or kept.sealed is None:
            continue
        line = kept.line
        if kept.state == "dead":
            session.run("put_back", "due", False, at, at, None, "", kept.seq)
        else:
            delivery = open_delivery(session.keyring, id, kept.endpoint, kept.subscription, kept.sealed)
            line = line_token(session, delivery)
            session.run("drop_ended", kept.seq)
            session.run("keep_due", kept.seq, kept.endpoint, line, kept.rank, kept.lane, at, kept.attempts)
        align(session, kept.endpoint, line)
        _move(session, kept, "due", "redelivered", act)
        done.append(id)
    return done


def abandon(session: Session, ids: Sequence[str], act: Act) -> list[str]:
    done: list[str] = []
    for id in dict.fromkeys(ids):
        kept = _kept(session, id)
        if kept is not None and kept.state == "dead":
            _end(session, kept, "abandoned", kept.reason)
            _move(session, kept, "abandoned", "abandoned", act)
            done.append(id)
    return done


def _move(session: Session, kept: _Kept, state: str, stage: str, act: Act) -> None:
    session.count("delivery", kept.subscription, kept.state, -1)
    session.count("delivery", kept.subscription, state)
    session.step(kept.message, kept.seq, act.at, stage, StepRecord("", act.why, act.by))


def _end(session: Session, kept: _Kept, state: str, reason: str = "") -> None:
    session.run("drop_due", kept.seq)
    session.run("drop_ended", kept.seq)
    session.run("keep_ended", kept.seq, state, reason)
    align(session, kept.endpoint, kept.line)


def reprocess(session: Session, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], act: Act) -> list[str]:
    row = of_id(session, "message_state", message_id)
    if row is None:
        raise unknown("message", message_id)
    message, shelf, interface, state = row
    before: list[str] = [id for (id,) in session.rows("deliveries_of", message)]
    session.count("message", interface, state, -1)
    session.count("message", interface, result.state)
    session.run("drop_untranslated", shelf, message)
    if result.state != "translated" or result.reason:
        session.run("keep_verdict", message, result.state, result.reason)
    else:
        session.run("drop_verdict", message)
    keep_violations(session, message, result.violations)
    keep_identifiers(session, message, result.identifiers)
    session.step(message, message, act.at, "reprocessed", StepRecord(result.reason, act.why, act.by))
    session.run_named("spare_again", {"shelf": shelf, "message": message})
    _replace_events(session, message, shelf, result, act)
    stays: set[str] = set()
    fresh: list[str] = []
    for subscription, results in planned.items():
        for one in results:
            if one.answers:
                keep_answers(session, subscription, _event(session, one.event_id), shelf, one)
            for delivery in one.deliveries:
                current, is_new = _place(session, message, shelf, structs.replace(delivery, subscription=subscription), act)
                stays.add(current)
                fresh += [current] if is_new else []
    for id in before:
        kept = _kept(session, id) if id not in stays else None
        if kept is not None and kept.state in UNFINISHED:
            _supersede(session, kept, "", act)
    return fresh


def _event(session: Session, event_id: str) -> int:
    """Seq of the newest row of an event."""
    rows = [row for row in session.rows("known_events", seqs_of_ids(session, (event_id,))) if row[0] == event_id]
    if not rows:
        raise unknown("event", event_id)
    newest: int = rows[-1][1]
    return newest


def _replace_events(session: Session, message: int, shelf: int, result: Translated, act: Act) -> None:
    old = {row[1]: open_event(session.keyring, row) for row in session.rows("events_of", message)}
    new = {one.id: one for one in result.events}
    for event_id, kept in list(old.items()):
        if event_id not in new or not same_event(new[event_id], kept):
            session.run_named("wait_no_more", {"event": kept.seq})
            session.run("supersede_event", kept.seq)
            session.count("event", kept.type, "kept", -1)
            session.count("event", kept.type, "superseded")
            del old[event_id]
    keep_events(session, [(message, shelf, event) for event_id, event in new.items() if event_id not in old], act.at, fed=False)


def _place(session: Session, message: int, shelf: int, delivery: Delivery, act: Act) -> tuple[str, bool]:
    """Id under which the planned delivery stands in the journal, and whether it is new there."""
    old = _kept(session, delivery.id)
    if old is None:
        keep_deliveries(session, [(message, shelf, delivery)], act.at)
        align(session, delivery.endpoint, line_token(session, delivery))
        return delivery.id, True
    while old.successor and (later := _kept(session, old.successor)):
        old = later
    gone = old.state == "superseded" or old.replaced
    if not gone and old.sealed and same_bytes(open_delivery(session.keyring, old.id, old.endpoint, old.subscription, old.sealed), delivery):
        return old.id, False
    successor = structs.replace(delivery, id=derive_id("reprocess", old.id, delivery.body), supersedes=old.id)
    keep_deliveries(session, [(message, shelf, successor)], act.at)
    made = _kept(session, successor.id)
    if made is not None:
        session.run("inherit_rank", old.rank, made.seq)
        session.run("inherit_turn", old.rank, made.seq)
    _supersede(session, old, successor.id, act)
    align(session, successor.endpoint, line_token(session, successor))
    return successor.id, True


def _supersede(session: Session, kept: _Kept, successor: str, act: Act) -> None:
    """What the courier has in hand (sending, unknown) is superseded as soon as its outcome is known."""
    if successor:
        session.run("link_successor", successor, kept.seq)
    if kept.state in ("sending", "unknown"):
        session.run("replace_later", kept.seq)
    elif kept.state != "superseded":
        _end(session, kept, "superseded")
        session.count("delivery", kept.subscription, kept.state, -1)
        session.count("delivery", kept.subscription, "superseded")
        session.step(kept.message, kept.seq, act.at, "superseded", StepRecord("", successor, act.by))
