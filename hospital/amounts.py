"""Amounts: quantities and money as a sender wrote them, within what a hospital can mean."""

from __future__ import annotations

from decimal import Decimal

from isthmus.core import Invalid
from isthmus.formats.hl7v2 import Group

MOST = Decimal(1_000_000_000)
_LEAST = Decimal("0.000001")


def amount_at(group: Group, place: str) -> Decimal | None:
    """The number at a place; None where there is none, ``Invalid`` where it is no number or beyond all measure."""
    found = group.number(place, None)
    if found is not None and abs(found) > MOST:
        raise Invalid("range", f"{group.where(place)}: no hospital counts beyond a thousand million; send the amount that is meant")
    if found and abs(found) < _LEAST:
        raise Invalid("range", f"{group.where(place)}: no hospital counts less than a millionth; send the amount that is meant")
    return found
