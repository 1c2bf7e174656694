"""Warehouse: how this company's Odoo names its stock operations, locations and fields; asked once."""

from __future__ import annotations

from msgspec import Struct

from isthmus.connectors.odoo.compare import identity
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.operations import MovementKind
from isthmus.connectors.odoo.schema import Schema
from isthmus.connectors.odoo.session import Deadline, Session


class Route(Struct, frozen=True):
    type: int
    source: int
    destination: int


class Warehouse:
    def __init__(self, session: Session, schema: Schema, company: int) -> None:
        self._session = session
        self._schema = schema
        self._company = company
        self._routes: dict[MovementKind, Route] = {}
        self._units: dict[int, int] = {}

    async def route(self, kind: MovementKind, deadline: Deadline) -> Route:
        """Operation type and usual locations: consumption leaves the stock for the patients (Odoo's customers), a return comes back."""
        if kind not in self._routes:
            outgoing, incoming = await self._type("outgoing", deadline), await self._type("incoming", deadline)
            patients = outgoing.destination or await self._location("customer", deadline)
            suppliers = incoming.source or await self._location("supplier", deadline)
            self._routes = {
                "consume": Route(outgoing.type, outgoing.source, patients),
                "return": Route(incoming.type, patients, incoming.destination),
                "receive": Route(incoming.type, suppliers, incoming.destination),
            }
        return self._routes[kind]

    async def _type(self, code: str, deadline: Deadline) -> Route:
        domain = [["code", "=", code], ["company_id", "=", self._company]]
        fields = ["default_location_src_id", "default_location_dest_id"]
        rows = await self._session.read(
            "stock.picking.type", "search_read", deadline, None, domain=domain, fields=fields, limit=1, order="sequence, id"
        )
        if not rows:
            raise Fault("reject", "no-warehouse", f"stock.picking.type: company {self._company} has no {code} operation; see 'company'")
        row = rows[0]
        return Route(row["id"], identity(row["default_location_src_id"]), identity(row["default_location_dest_id"]))

    async def _location(self, usage: str, deadline: Deadline) -> int:
        rows = await self._session.read(
            "stock.location", "search_read", deadline, None, domain=[["usage", "=", usage]], fields=[], limit=1, order="id"
        )
        if not rows:
            raise Fault("reject", "no-warehouse", f"stock.location: there is no {usage} location")
        return int(rows[0]["id"])

    async def lines(self, model: str, deadline: Deadline) -> str:
        """The field with a picking's moves: ``move_ids``, in Odoo 14 and 15 ``move_lines``."""
        return "move_ids" if "move_ids" in await self._schema.fields(model, deadline) else "move_lines"

    async def moved_at_once(self, deadline: Deadline) -> bool:
        """May a draft say what was moved, and be validated as it is? From Odoo 17: before, it is confirmed and reserved first."""
        return "quantity_done" not in await self._schema.fields("stock.move", deadline)

    async def fill(self, deadline: Deadline) -> tuple[str, ...]:
        """The fields that say that a move has happened, the quantity first: ``quantity`` and ``picked``, before Odoo 17 ``quantity_done``."""
        return ("quantity", "picked") if await self.moved_at_once(deadline) else ("quantity_done",)

    async def required(self, product: int, label: str, deadline: Deadline) -> dict[str, str]:
        """What older versions want to be told of a move: a label (before 19) and the product's unit (before 17)."""
        fields = await self._schema.fields("stock.move", deadline)
        cells = {"name": label} if "name" in fields else {}
        if "quantity_done" in fields:
            cells["product_uom/.id"] = str(await self._unit(product, deadline))
        return cells

    async def _unit(self, product: int, deadline: Deadline) -> int:
        if product not in self._units:
            rows = await self._session.read("product.product", "read", deadline, [product], fields=["uom_id"])
            self._units[product] = identity(rows[0]["uom_id"])
        return self._units[product]
