"""The pruner's transactions: one slice of finished messages each, so that the writer is never held for long."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from isthmus.journals.port import Pruned
from isthmus.journals.sqlite.records import behead_delivery, behead_event
from isthmus.journals.sqlite.session import Row, Session, listed, micros

SLICE = 25
"""Messages looked at in one operation: a millisecond or two, and whoever waits for an acknowledgement waits behind it."""


class Pass(Struct):
    """How far one call has come. First those that were spared before, then on from where the last call ended."""

    interface: str
    before: datetime
    now: datetime
    room: int
    """Messages that may still be pruned."""
    spared_after: int = 0
    in_spared: bool = True
    done: bool = False
    found: Pruned = Pruned(0, 0, 0, 0)


def prune_slice(session: Session, walk: Pass) -> None:
    """Prune up to one slice; the caller goes on until ``done``."""
    row = session.row("shelf_of", walk.interface)
    if row is None or walk.room <= 0:
        walk.done = True
        return
    shelf, cursor = row
    limit = min(SLICE, walk.room)
    values: dict[str, object] = {"shelf": shelf, "before": micros(walk.before), "limit": limit}
    if walk.in_spared:
        rows = session.rows_named("old_spared", {**values, "after": walk.spared_after})
        walk.in_spared = bool(rows)
        walk.spared_after = rows[-1][0] if rows else 0
        old = [seq for seq, is_old in rows if is_old]
    else:
        rows = session.rows_named("old_messages", {**values, "after": cursor})
        old = [seq for seq, is_old in rows if is_old]
        walk.done = not old
        if old:
            session.run("move_pruned", old[-1], shelf)
            session.many("spare", [(shelf, seq) for seq, is_old in rows if not is_old and seq < old[-1]])
    if old:
        live = {seq for (seq,) in session.rows("live_messages", listed(old))}
        finished = [seq for seq in old if seq not in live]
        session.many("spare_no_more" if walk.in_spared else "spare", [(shelf, seq) for seq in (finished if walk.in_spared else live)])
        _destroy(session, walk, finished)


def _destroy(session: Session, walk: Pass, messages: list[int]) -> None:
    chosen = listed(messages)
    keyring = session.keyring
    bodies = session.rows("prune_messages", chosen)
    events = session.rows("prune_events", chosen)
    deliveries = session.rows("prune_deliveries", chosen)
    answers = session.rows("prune_answers", chosen)
    session.many("behead_event", [(behead_event(keyring, id, sealed), seq) for seq, id, _, sealed in events])
    session.many("behead_delivery", [(behead_delivery(keyring, id, sealed), seq) for seq, id, _, sealed in deliveries])
    session.many("drop_answer", [(event, subscription) for event, subscription, _, _ in answers])
    places: list[Row] = [(place,) for place, _ in bodies]
    places += [(place,) for _, _, place, _ in (*events, *deliveries)]
    places += [(place,) for _, _, place, _ in answers]
    session.many("drop_body", places)
    session.many("drop_chunks", [(place,) for place, _ in bodies])
    for place, _ in bodies:
        message = place & ((1 << 44) - 1)
        session.step(message, message, walk.now, "pruned")
    freed = (
        sum(size for _, size in bodies) + sum(size for _, _, _, size in answers) + sum(len(sealed) for *_, sealed in (*events, *deliveries))
    )
    found = walk.found
    walk.room -= len(bodies)
    walk.found = Pruned(
        found.messages + len(bodies), found.events + len(events), found.deliveries + len(deliveries), found.bytes_freed + freed
    )
