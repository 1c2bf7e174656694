"""Reading FT1: what was charged, how often, for how much, and what tells one charge from another (HL7 v2.5.1 §6.5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from isthmus.core import Invalid, Violation
from isthmus.formats.hl7v2 import Group, Hl7

from ...agreement import attempt
from ...amounts import MOST, amount_at
from ...crosswalks.tariff import CURRENCY, PRICES
from ...moments import day_of

Direction = Literal["charge", "credit", "payment"]

_DIRECTIONS: dict[str, Direction | Literal["by sign"]] = {
    "": "charge",
    "CG": "charge",
    "CHG": "charge",
    "CHARGE": "charge",
    "DEBIT": "charge",
    "CR": "credit",
    "CD": "credit",
    "CRD": "credit",
    "CREDIT": "credit",
    "AJ": "by sign",
    "CO": "payment",
    "PY": "payment",
    "PAYMENT": "payment",
}
"""FT1-6 (HL7 table 0017: AJ, CD, CG, CO, PY), and how senders write it besides."""

_CENT = Decimal("0.01")


class Charge(Struct, frozen=True, kw_only=True):
    """One FT1. Quantity and price are positive; the direction says the sign."""

    id: str
    direction: Direction
    code: str
    code_system: str
    quantity: Decimal
    unit_price: Decimal | None
    currency: str
    on: date
    department: str


def charges_of(message: Hl7) -> tuple[Charge, ...]:
    """Every FT1, each with an id of its own; raises ``Invalid`` where one cannot be read."""
    return _distinct(tuple(_read(group, message) for group in message.groups("FT1")))


def is_foreign(currency: str) -> bool:
    """Is it another currency than the company's in Odoo?"""
    return bool(CURRENCY and currency) and currency != CURRENCY


def understand(message: Hl7) -> Iterator[Violation]:
    """What is wrong with each FT1."""
    groups = list(message.groups("FT1"))
    if not groups:
        yield Violation("FT1", "required", "send at least one financial transaction")
    for group in groups:
        yield from attempt(lambda group=group: _read(group, message))  # type: ignore[misc]


def _read(group: Group, message: Hl7) -> Charge:
    code = group["FT1-7.1"].strip() or group["FT1-25.1"].strip()
    if not code:
        raise Invalid("required", f"{group.where('FT1-7')}: send the charge code")
    said = _DIRECTIONS.get(group["FT1-6"].strip().upper())
    if said is None:
        raise Invalid("code-set", f"{group.where('FT1-6')}: send CG for a charge, CD for a credit, AJ, CO or PY (table 0017)")
    quantity, total, each = amount_at(group, "FT1-10"), amount_at(group, "FT1-11.1.1"), amount_at(group, "FT1-12.1.1")
    if quantity is None:
        quantity = Decimal(1)
    negative = any(one is not None and one < 0 for one in (quantity, total, each))
    by_sign: Direction = "credit" if negative else "charge"
    if quantity == 0 and total is not None:
        quantity = Decimal(1)  # an amount for nothing counted: the amount is meant
    if quantity == 0:
        raise Invalid("range", f"{group.where('FT1-10')}: send how many, or leave it empty for one")
    quantity, unit_price = _priced(code, abs(quantity), total, each)
    if unit_price is not None and unit_price * quantity > MOST:
        raise Invalid("range", f"{group.where('FT1-12')}: times FT1-10 it is beyond a thousand million; send the amount that is meant")
    return Charge(
        id=_transaction(group),
        direction=said if said in ("credit", "payment") else by_sign,
        code=code,
        code_system=group["FT1-7.3"] if group["FT1-7.1"] else group["FT1-25.3"],
        quantity=quantity,
        unit_price=unit_price,
        currency=(group["FT1-11.1.2"] or group["FT1-12.1.2"]).strip().upper(),
        on=_day(group, message),
        department=group["FT1-13.1"],
    )


def _priced(code: str, quantity: Decimal, total: Decimal | None, each: Decimal | None) -> tuple[Decimal, Decimal | None]:
    """Quantity and unit price. Where FT1-10 times FT1-12 is not FT1-11, FT1-11 counts: it is the amount of the transaction.

    An amount that cannot be divided into whole cents is billed as one: invoices have no smaller money.
    """
    if total is None and each is None:
        return quantity, PRICES.get(code)
    amount = abs(total) if total is not None else abs(each or Decimal()) * quantity
    price = (amount / quantity).quantize(_CENT)
    return (quantity, price) if price * quantity == amount else (Decimal(1), amount.quantize(_CENT))


def _day(group: Group, message: Hl7) -> date:
    day = day_of(group, "FT1-4.1", "FT1-5") or day_of(message, "EVN-6", "EVN-2", "PV1-45", "PV1-44", "MSH-7")
    if day is None:
        raise Invalid("required", f"{group.where('FT1-4')}: send the day of the service, YYYYMMDD")
    return day


def _transaction(group: Group) -> str:
    """The sender's transaction id; one that merely counts the segments of the message (FT1-1) identifies nothing."""
    transaction = group["FT1-2.1"].strip()
    return transaction if transaction != group["FT1-1"].strip() else ""


def _distinct(charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """Each charge with an id that no other of the message has.

    A transaction id that stands once is the id. Without one, or where several different transactions share it, code, day, quantity
    and price belong to the id, and equal ones are counted. The same transaction id with the same content is the same charge.
    """
    shared = {one.id for one in charges if len({other for other in charges if other.id == one.id}) > 1}
    found: dict[tuple[Direction, str], Charge] = {}
    for charge in charges:
        known = charge.id
        if not known or known in shared:
            parts = (charge.id, charge.code, charge.on.isoformat(), f"{charge.quantity.normalize():f}", str(charge.unit_price))
            known = "/".join(part for part in parts if part)
        if not charge.id:
            same = sum(1 for direction, other in found if direction == charge.direction and other.partition("#")[0] == known)
            known = f"{known}#{same + 1}" if same else known
        found.setdefault((charge.direction, known), structs.replace(charge, id=known))
    return tuple(found.values())
