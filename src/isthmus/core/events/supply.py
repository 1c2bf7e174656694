"""Supply: material used at the point of care, and brought back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from isthmus.core.event import Event, canonical

OWNER = "supply-chain"


class SupplyLine(Struct, frozen=True, kw_only=True):
    item: str
    """The hospital's item number."""
    quantity: Decimal
    """Positive."""
    unit: str = ""
    """Unit of measure; empty: the item's own."""
    lot: str = ""


@canonical("supply.used", version=1, owner=OWNER, key=("use",), ordered_by="location")
class SupplyUsed(Event, frozen=True, kw_only=True):
    """Material was used up in one place in one go."""

    use: str
    """The sender's number of this use."""
    location: str
    """Where: the cabinet, theatre or ward, in the sender's words."""
    lines: tuple[SupplyLine, ...]
    at: datetime


@canonical("supply.returned", version=1, owner=OWNER, key=("use",), ordered_by="location")
class SupplyReturned(Event, frozen=True, kw_only=True):
    """Material that had been taken was brought back unused."""

    use: str
    location: str
    lines: tuple[SupplyLine, ...]
    at: datetime


EVENTS = (SupplyUsed, SupplyReturned)
