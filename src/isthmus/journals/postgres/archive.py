"""What people ask: find, stories, dead letters, counters."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.journals.port import DeliveryState, Query, Step, Stored, StoredDelivery, Story, Tally
from isthmus.journals.postgres.history import plain
from isthmus.journals.postgres.locator import id_entry, prefix_range, uuid_of
from isthmus.journals.postgres.rows import Row, Seals
from isthmus.journals.postgres.store import Session
from isthmus.journals.rules import SHORTEST_PREFIX, receipt_step
from isthmus.journals.sealing.chunks import CHUNK, chunks, chunks_for

_FIND: Final = {"received": "find_waiting", "invalid": "find_trouble", "refused": "find_trouble", "failed": "find_trouble"}
"""By state, where the state is told by a small table."""
_LIST: Final = {
    "due": "deliveries_unfinished",
    "sending": "deliveries_sending",
    "unknown": "deliveries_troubled",
    "dead": "deliveries_troubled",
    "delivered": "deliveries_delivered",
    "abandoned": "deliveries_ended",
    "superseded": "deliveries_ended",
}


async def find(session: Session, query: Query) -> list[Stored]:
    kind = session.seals.kind(query.kind) if query.kind else None
    arguments = (query.before, query.interface, kind, query.state, query.since, query.until, query.limit)
    if query.identifier:
        rows = await session.rows("find_identifier", *arguments, *session.seals.identifier(query.identifier))
    else:
        rows = await session.rows(_FIND.get(query.state) or ("find_interface" if query.interface else "find"), *arguments)
    return [session.seals.stored(row) for row in rows]


async def story(session: Session, any_id: str) -> Story | None:
    any_id = plain(any_id)
    # In the order of bytes nothing but the id itself lies before the id and U+0001, and all that it begins before U+10FFFF.
    beyond = any_id + ("\U0010ffff" if len(any_id) >= SHORTEST_PREFIX else "\x01")
    found = await session.rows("message_of", any_id, beyond, *prefix_range(any_id))
    if len(found) != 1:
        return None
    message = found[0]["seq"]
    head = (await session.rows("story_message", message))[0]
    stored = session.seals.stored(head)
    deliveries = await session.rows("deliveries_of", message)
    steps: list[tuple[int, Step]] = [
        (message, Step(at=stored.received_at, subject=stored.id, stage=head["arrival"], code=head["arrival_reason"])),
        *((one["seq"], Step(at=one["created_at"], subject=one["id"], stage="planned", code=one["subscription"])) for one in deliveries),
    ]
    names = {message: stored.id, **{one["seq"]: one["id"] for one in deliveries}}
    receipts: list[tuple[str, Receipt]] = []
    for row in await session.rows("story_steps", message):
        step, receipt = _told(session.seals, names[row["subject"]], row)
        steps.append((row["seq"], step))
        receipts += [(step.subject, receipt)] if receipt else []
    return Story(
        message=stored,
        violations=tuple(Violation(*row) for row in await session.rows("story_violations", message)),
        events=tuple(session.seals.envelope(row) for row in await session.rows("events_of", message)),
        deliveries=tuple(session.seals.stored_delivery(row) for row in deliveries),
        receipts=tuple(receipts),
        steps=tuple(step for _, step in sorted(steps, key=lambda one: (one[1].at, one[0]))),
    )


def _told(seals: Seals, subject: str, row: Row) -> tuple[Step, Receipt | None]:
    if row["stage"] == "receipt":
        receipt = seals.receipt(subject, row["code"], row["detail"])
        return receipt_step(subject, receipt, row["at"]), receipt
    detail = seals.open_detail(subject, row["detail"])
    step = Step(at=row["at"], subject=subject, stage=row["stage"], code=row["code"], detail=detail, by=row["by"], seconds=row["seconds"])
    return step, None


async def message(session: Session, message_id: str) -> Message | None:
    rows = await session.rows("message", uuid_of(message_id))
    return await with_body(session, rows[0]) if rows else None


async def with_body(session: Session, row: Row) -> Message:
    """A message; of a large one only one sealed piece is in memory at a time."""
    if not chunks(row["size"]):
        return session.seals.message(row)
    whole = BytesIO()
    for number in range(chunks(row["size"])):
        sealed = [one["sealed"] for one in await session.rows("pieces", row["seq"], number, number + 1)]
        if not sealed and number == 0:
            break  # pruned
        whole.write(session.seals.open_piece(row["id"], sealed, row["size"], number * CHUNK, CHUNK))
    return session.seals.message(row, whole.getvalue())


async def piece(session: Session, message_id: str, start: int, length: int) -> bytes:
    rows = await session.rows("place_of_message", uuid_of(message_id))
    if not rows:
        return b""
    message, size = rows[0]
    if not chunks(size):
        sealed = await session.value("body_of_message", message)
        return session.seals.open_body("message", message_id, sealed)[start : start + length]
    wanted = chunks_for(size, start, length)
    found = [row["sealed"] for row in await session.rows("pieces", message, wanted.start, wanted.stop)]
    return session.seals.open_piece(message_id, found, size, start, length) if found else b""


async def delivery(session: Session, delivery_id: str) -> Delivery | None:
    rows = await session.rows("delivery", delivery_id, id_entry(delivery_id).token)
    return session.seals.delivery(rows[0]) if rows else None


async def answers(session: Session, event_id: str, subscription: str) -> tuple[Answer, ...]:
    rows = await session.rows("answers", event_id, subscription, id_entry(event_id).token)
    return session.seals.open_answers(event_id, subscription, rows[0]["sealed"]) if rows else ()


async def deliveries(session: Session, state: DeliveryState, endpoint: str, before: int, limit: int) -> list[StoredDelivery]:
    return [session.seals.stored_delivery(row) for row in await session.rows(_LIST[state], state, endpoint, before, limit)]


async def tallies(session: Session) -> Sequence[Tally]:
    return [Tally(noun=row["noun"], name=row["name"], state=row["state"], count=row["count"]) for row in await session.rows("tallies")]
