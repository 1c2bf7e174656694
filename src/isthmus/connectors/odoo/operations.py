"""Operations: the bodies of deliveries to Odoo. Each is idempotent by its key, whatever happened to an earlier attempt."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.connectors.odoo.values import By, Link, Plain, Ref, Xml
from isthmus.core.failure import Bug

InvoiceKind = Literal["out_invoice", "out_refund"]
MovementKind = Literal["consume", "return", "receive"]
TaskState = Literal["open", "done", "cancelled"]


class Upsert(Struct, frozen=True, tag="upsert", kw_only=True):
    """The record under ``key`` holds these values; fields that are not named keep what they have."""

    model: str
    key: str
    values: dict[str, Plain]


class InvoiceLine(Struct, frozen=True, kw_only=True):
    """One row of an invoice."""

    product: Ref | Xml | By
    name: str
    quantity: float
    price_unit: float
    """In the company's currency, without tax."""
    taxed: bool = False
    """True takes the product's taxes; false none (most care is exempt)."""


class Invoice(Struct, frozen=True, tag="invoice", kw_only=True):
    """A posted customer invoice or credit note; made once. A posted one is never changed."""

    key: str
    payer: Ref | Xml | By
    reference: str
    """Pseudonymous: what the payer is shown instead of a patient."""
    date: str
    lines: tuple[InvoiceLine, ...]
    kind: InvoiceKind = "out_invoice"

    model = "account.move"


class Move(Struct, frozen=True, kw_only=True):
    """How much of one product moves."""

    product: Ref | Xml | By
    quantity: float
    """In the product's own unit."""


class Movement(Struct, frozen=True, tag="movement", kw_only=True):
    """A stock movement that has been done; made once."""

    key: str
    kind: MovementKind
    moves: tuple[Move, ...]
    origin: str
    source: Ref | Xml | By | None = None
    """Location from which; the usual one of the warehouse unless given."""
    destination: Ref | Xml | By | None = None

    model = "stock.picking"


class Task(Struct, frozen=True, tag="task", kw_only=True):
    """A task in a project. ``state`` none: as people left it."""

    key: str
    values: dict[str, Plain]
    state: TaskState | None = None

    model = "project.task"


class Appointment(Struct, frozen=True, tag="appointment", kw_only=True):
    """A calendar entry, without mails to anybody."""

    key: str
    values: dict[str, Plain]

    model = "calendar.event"


class Withdraw(Struct, frozen=True, tag="withdraw", kw_only=True):
    """What is under ``key`` shall count no more: cancelled or archived, never deleted. Absent is as good."""

    model: str
    key: str


Operation: TypeAlias = Upsert | Invoice | Movement | Task | Appointment | Withdraw

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Operation] = msgspec.json.Decoder(Operation)


def encode(operation: Operation) -> bytes:
    return _encode(operation)


def decode(body: bytes) -> Operation:
    """The operation in a delivery's body; raises ``Bug`` where these words did not write it."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise Bug("odoo-body", "the body of this delivery was not written by the words of the Odoo connector") from error


def links(operation: Operation) -> tuple[Link, ...]:
    """Every record that an operation names."""
    match operation:
        case Upsert() | Task() | Appointment():
            return links_in(operation.values)
        case Invoice():
            return tuple(link for one in (operation.payer, *(line.product for line in operation.lines)) for link in links_of(one))
        case Movement():
            named = (operation.source, operation.destination, *(move.product for move in operation.moves))
            return tuple(link for one in named if one is not None for link in links_of(one))
        case Withdraw():
            return ()


def links_in(values: dict[str, Plain]) -> tuple[Link, ...]:
    """Every record that values name, also in lines and in the seeds of others; what must be there first comes first."""
    found: list[Link] = []
    for value in values.values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, (Ref, Xml, By)):
                found += links_of(one)
            elif one is not None and not isinstance(one, (bool, int, float, str)):
                found += links_in(one.values)
    return tuple(found)


def links_of(link: Link) -> tuple[Link, ...]:
    return (*links_in(link.values), link) if isinstance(link, Ref) else (link,)
