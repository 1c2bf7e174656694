"""Supply use: what the supply cabinets say was taken or brought back, as JSON of our own. See README.md for the document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from isthmus.core import Classification, Delivery, Event, Interface, pseudonym, subscribe
from isthmus.core.events import SupplyLine, SupplyReturned, SupplyUsed
from isthmus.formats.jsondoc import Contract, Json, JsonDocument

from ...products import move
from ...systems import odoo

Text = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]


class Item(Struct, frozen=True):
    product: Text
    """The hospital's item number."""
    quantity: Annotated[int, Meta(gt=0, le=1_000_000)] | Annotated[float, Meta(gt=0, le=1_000_000)]
    unit: str = ""
    """Unit of measure; empty: the item's own."""
    lot: str = ""


class Use(Struct, frozen=True, kw_only=True):
    """One document. Holds nothing of a patient; fields that are not here are left alone."""

    kind: Literal["supply-use", "supply-return"] = "supply-use"
    use: Text
    """The cabinet's number of this use: the same use sent again is the same use."""
    ward: Text
    used_at: Annotated[datetime, Meta(tz=True)]
    items: Annotated[tuple[Item, ...], Meta(min_length=1)]


FORMAT = Json("supply-use", id_field="use", sender_field="ward", identifiers=(("use", "use"),))

supply_use = Interface(
    "cabinets.supply-use",
    source="supply",
    owner="supply-chain",
    contract=Contract(FORMAT, {"supply-use": Use, "supply-return": Use}),
    classification=Classification(
        criticality="operations",
        latency="minutes",
        volume="5k/day",
        failure="stock is wrong, supplies run out unnoticed",
        recovery="replay",
        ordered_by="ward",
    ),
    runbook="interfaces/supply_use/README.md",
)


@supply_use.translate("supply-use", "supply-return")
def used(document: JsonDocument) -> Iterator[Event]:
    use = document.read(Use)
    event = SupplyUsed if use.kind == "supply-use" else SupplyReturned
    lines = tuple(SupplyLine(item=one.product, quantity=Decimal(str(one.quantity)), unit=one.unit, lot=one.lot) for one in use.items)
    yield event(use=use.use, location=use.ward, lines=lines, at=use.used_at)


@subscribe(
    SupplyUsed,
    SupplyReturned,
    to=odoo,
    owner="supply-chain",
    classification=Classification(
        criticality="operations",
        latency="minutes",
        volume="5k/day",
        failure="stock is wrong, supplies run out unnoticed",
        recovery="replay",
        ordered_by="use",
    ),
)
async def move_supplies(event: SupplyUsed | SupplyReturned) -> AsyncIterator[Delivery]:
    """One movement for each document: out of stock, or back into it."""
    returned = isinstance(event, SupplyReturned)
    number = await pseudonym("supply-use", f"{event.location}/{event.use}")
    yield odoo.movement(
        f"{'supply-return' if returned else 'supply'}-{number}",
        moves=[move(one.item, one.quantity, one.unit) for one in event.lines],
        kind="return" if returned else "consume",
        origin=f"{event.location} SUPPLY-{number}",
    )
