"""Rules: what Odoo's applications do by themselves when records are made or changed, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus.connectors.odoo.practice.errors import OdooError, user_error
from isthmus.connectors.odoo.practice.store import Row

if TYPE_CHECKING:
    from isthmus.connectors.odoo.practice.records import Records

_FROZEN = {"partner_id", "invoice_date", "invoice_line_ids", "move_type"}


def guard(model: str, row: Row, values: Mapping[str, Any]) -> None:
    """Refuse what may not be changed any more."""
    if model == "account.move" and row["state"] == "posted" and _FROZEN & values.keys():
        raise user_error("You cannot modify a posted entry of this journal.")


def created(records: Records, model: str, record: int, values: Mapping[str, Any]) -> None:
    """What follows from a new record."""
    row = records.row(model, record)
    if model == "res.partner" and not row["name"] and row["type"] == "contact":
        raise OdooError("odoo.exceptions.ValidationError", "Contacts require a name")
    if model == "calendar.event" and "partner_ids" not in values:
        records.store.put(model, record, {**row, "partner_ids": [records.user.partner]})
    if model == "calendar.event" and row["start"] and row["stop"] and row["stop"] < row["start"]:
        raise OdooError("odoo.exceptions.ValidationError", "The ending date and time cannot be earlier than the starting date and time.")
    if model == "stock.picking":
        records.store.put(model, record, {**row, "name": f"WH/{record:05d}"})
    if model == "account.move.line":
        total(records, row["move_id"])
    if model == "stock.move":
        moved(records, record)


def moved(records: Records, move: int) -> None:
    """A draft that says what was moved needs neither confirming nor reserving (from Odoo 17)."""
    row = records.row("stock.move", move)
    if row["state"] == "draft" and row.get("quantity"):
        for model, record in (("stock.move", move), ("stock.picking", row["picking_id"])):
            records.store.put(model, record, {**records.row(model, record), "state": "assigned"})


def total(records: Records, invoice: int) -> None:
    """An invoice's amount."""
    lines = records.store.children("account.move.line", "move_id", [invoice]) or []
    rows = [records.row("account.move.line", line) for line in lines]
    amount = round(sum(row["quantity"] * row["price_unit"] for row in rows), 2)
    records.store.put("account.move", invoice, {**records.row("account.move", invoice), "amount_total": amount})
