"""Billing: what was charged and what was credited (HL7 v2 chapter 6.4, DFT). Codes and money, no diagnosis, no text."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Identifier, Payer

OWNER = "revenue-cycle"


class ChargeLine(Struct, frozen=True, kw_only=True):
    """One charge as a bill shows it."""

    charge: str
    """The charge's own identifier within its encounter; see ``ChargePosted.charge``."""
    code: str
    quantity: Decimal
    unit_price: Decimal
    on: date | None = None


@canonical("charge.posted", version=1, owner=OWNER, key=("encounter", "charge"), ordered_by="encounter")
class ChargePosted(Event, frozen=True, kw_only=True):
    """A service was charged (FT1 with FT1-6 CG or empty)."""

    charge: str
    """The sender's transaction id (FT1-2), or what else tells this charge from the others of its encounter."""
    encounter: Identifier
    payer: Payer
    code: str
    """What was done or given, in the hospital's charge codes (FT1-7)."""
    code_system: str = ""
    quantity: Decimal
    unit_price: Decimal | None = None
    """None: neither the sender nor the tariff knows a price; a person has to say one."""
    currency: str = ""
    """ISO 4217; empty: the hospital's own."""
    on: date | None = None
    department: str = ""


@canonical("charge.credited", version=1, owner=OWNER, key=("encounter", "charge"), ordered_by="encounter")
class ChargeCredited(Event, frozen=True, kw_only=True):
    """A charge was taken back or reduced (FT1-6 CR, or a negative amount or quantity). All figures are positive."""

    charge: str
    encounter: Identifier
    payer: Payer
    code: str
    code_system: str = ""
    quantity: Decimal
    unit_price: Decimal | None = None
    currency: str = ""
    on: date | None = None
    department: str = ""


@canonical("charges.billed", version=1, owner=OWNER, key=("encounter", "bill"), ordered_by="encounter")
class ChargesBilled(Event, frozen=True, kw_only=True):
    """The priced charges of one encounter that were posted together belong on one bill of their payer."""

    bill: str
    """Derived from the identifiers of the charges on it: the same charges are always the same bill."""
    encounter: Identifier
    payer: Payer
    currency: str = ""
    on: date
    lines: tuple[ChargeLine, ...]


@canonical("charges.refunded", version=1, owner=OWNER, key=("encounter", "bill"), ordered_by="encounter")
class ChargesRefunded(Event, frozen=True, kw_only=True):
    """The priced credits of one encounter that were posted together belong on one credit note of their payer."""

    bill: str
    encounter: Identifier
    payer: Payer
    currency: str = ""
    on: date
    lines: tuple[ChargeLine, ...]


@canonical("payment.posted", version=1, owner=OWNER, key=("encounter", "payment"), ordered_by="encounter")
class PaymentPosted(Event, frozen=True, kw_only=True):
    """Money came in: a payment or co-payment (FT1-6 PY, CO). Billing books it from the bank's statement, not from here."""

    payment: str
    encounter: Identifier
    amount: Decimal | None = None
    currency: str = ""
    on: date | None = None


EVENTS = (PaymentPosted, ChargePosted, ChargeCredited, ChargesBilled, ChargesRefunded)
