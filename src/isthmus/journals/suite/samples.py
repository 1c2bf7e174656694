"""Small values for the tests: messages, events, deliveries, and short ways to the state that a test begins with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.ids import derive_id
from isthmus.core.message import Message
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane
from isthmus.journals.port import Arrival, Claimed, Identifier, Journal, Planned, Settlement, StoredDelivery, Translated

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ADT, LAB = "ehr.adt", "lis.results"
ODOO, PORTAL = "odoo", "portal"
BILL, NOTIFY = "odoo.bill", "portal.notify"
DISCHARGED, RESULTED = "patient.discharged", "lab.resulted"
ME = "node-1/courier"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def message(
    control_id: str, *, body: bytes | None = None, interface: str = ADT, received: datetime = START, kind: str = "ADT^A03"
) -> Message:
    body = f"MSH|^~\\&|EHR|HOSP|||20260302||{kind}|{control_id}\rPID|1||{control_id}\r".encode() if body is None else body
    sender = "EHR|HOSP"
    own_id = derive_id("message", interface, sender, control_id, body)
    return Message(
        id=own_id, interface=interface, source="clinical", body=body, received_at=received, correlation_id=own_id, kind=kind, sender=sender,
        control_id=control_id,
    )  # fmt: skip


def arrival(one: Message, *identifiers: Identifier) -> Arrival:
    return Arrival(message=one, state="received", identifiers=identifiers, ack=b"MSA|AA|" + one.control_id.encode())


def envelope(cause: Message, key: str, *, type: str = DISCHARGED, ordering_key: str = "", body: bytes = b"") -> Envelope:
    return Envelope(
        id=derive_id("event", cause.id, type, key),
        type=type,
        version=1,
        key=key,
        ordering_key=ordering_key,
        correlation_id=cause.correlation_id,
        causation_id=cause.id,
        body=body or f'{{"key":"{key}"}}'.encode(),
    )


def delivery(
    cause: Envelope, key: str, *, ordering_key: str = "", body: bytes = b"", endpoint: str = ODOO, subscription: str = BILL
) -> Delivery:
    return Delivery(
        endpoint=endpoint,
        operation="upsert account.move",
        key=key,
        body=body or f'{{"delivery":"{key}"}}'.encode(),
        ordering_key=ordering_key,
        id=derive_id("delivery", cause.id, subscription, key),
        subscription=subscription,
        correlation_id=cause.correlation_id,
        causation_id=cause.id,
    )


async def received(journal: Journal, *messages: Message) -> None:
    await journal.receive([arrival(one) for one in messages])


async def event(journal: Journal, control_id: str, *, type: str = DISCHARGED, now: datetime = START) -> Envelope:
    """One message that became one event, named like it; with its ``seq``."""
    cause = message(control_id, received=now)
    await received(journal, cause)
    made = envelope(cause, control_id, type=type)
    await journal.translated([Translated(message_id=cause.id, events=(made,))], now)
    story = await journal.story(cause.id)
    assert story is not None
    return story.events[0]


async def due(
    journal: Journal,
    *keys: str,
    line: str = "",
    endpoint: str = ODOO,
    subscription: str = BILL,
    now: datetime = START,
    lane: Lane = "normal",
    size: int = 0,
) -> list[Delivery]:
    """One message, one event, and deliveries of these keys; ``line`` is their ordering key, ``size`` the bytes of each body."""
    await journal.enrol(subscription, frozenset((DISCHARGED,)), lane=lane)
    cause = await event(journal, f"{subscription} {' '.join(keys)}", now=now)
    body = b"x" * size
    made = [delivery(cause, key, ordering_key=line, endpoint=endpoint, subscription=subscription, body=body) for key in keys]
    await journal.planned(subscription, cause.seq, [Planned(event_id=cause.id, deliveries=tuple(made))], now)
    return made


async def claim(journal: Journal, *, limit: int = 100, now: datetime = START, owner: str = ME, endpoint: str = ODOO) -> Sequence[Claimed]:
    return await journal.claim(endpoint, limit, now, owner)


async def keys(journal: Journal, *, limit: int = 100, now: datetime = START, owner: str = ME, endpoint: str = ODOO) -> list[str]:
    """Claim, and say what by its keys."""
    return [one.delivery.key for one in await claim(journal, limit=limit, now=now, owner=owner, endpoint=endpoint)]


def delivered(id: str, *, ended: datetime = START, receipts: tuple[Receipt, ...] = ()) -> Settlement:
    receipts = receipts or (Receipt("transport", "200"),)
    return _settled(id, Delivered(receipts=receipts), "delivered", ended)


def retried(id: str, *, not_before: datetime | None, ended: datetime = START) -> Settlement:
    return _settled(id, Retry("timeout", "the target is busy"), "due", ended, not_before)


def unknown(id: str, *, not_before: datetime | None = None, ended: datetime = START) -> Settlement:
    return _settled(id, Unknown("no-answer"), "unknown", ended, not_before)


def dead(id: str, *, ended: datetime = START) -> Settlement:
    return _settled(id, Reject("missing-product", "the target knows no such product"), "dead", ended)


def _settled(
    id: str, outcome: Outcome, state: Literal["delivered", "due", "unknown", "dead"], ended: datetime, not_before: datetime | None = None
) -> Settlement:
    return Settlement(
        delivery_id=id,
        outcome=outcome,
        state=state,
        started_at=ended - timedelta(seconds=0.25),
        ended_at=ended,
        not_before=not_before,
        reason="rejected" if state == "dead" else "",
    )


async def stored(journal: Journal, id: str) -> StoredDelivery:
    """The delivery as the archive shows it."""
    story = await journal.story(id)
    assert story is not None
    return next(one for one in story.deliveries if one.id == id)
