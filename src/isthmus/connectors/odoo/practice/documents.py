"""Documents: posting, confirming, validating, cancelling, with the answers of the real one: some of them look like failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.connectors.odoo.practice.errors import user_error
from isthmus.connectors.odoo.practice.records import Records
from isthmus.connectors.odoo.practice.store import Row


def action_post(records: Records, ids: Sequence[int]) -> bool:
    """Answers false when it worked, as the real one."""
    rows = [records.row("account.move", record) for record in ids]
    for row in rows:
        if row["state"] != "draft":
            raise user_error(f"The entry {row['name']} (id {row['id']}) must be in draft.")
        if not records.store.children("account.move.line", "move_id", [row["id"]]):
            raise user_error("Even magicians can't post nothing!")
        if not row["partner_id"]:
            raise user_error("The 'Customer' field is required to validate the invoice.")
        if not row["invoice_date"]:
            row["invoice_date"] = records.now[:10]
        prefix = "RINV" if row["move_type"] == "out_refund" else "INV"
        _set(
            records,
            "account.move",
            row,
            state="posted",
            posted_before=True,
            name=row["name"] or f"{prefix}/{row['invoice_date'][:4]}/{row['id']:05d}",
        )
    return False


def button_cancel(records: Records, ids: Sequence[int]) -> None:
    """Answers nothing, over which XML-RPC stumbles after the work is done."""
    for record in ids:
        row = records.row("account.move", record)
        if row["state"] == "posted":
            raise user_error("You can't cancel a posted entry. Reset it to draft first.")
        _set(records, "account.move", row, state="cancel")


def button_draft(records: Records, ids: Sequence[int]) -> None:
    for record in ids:
        _set(records, "account.move", records.row("account.move", record), state="draft")


def action_confirm(records: Records, ids: Sequence[int]) -> bool:
    for record in ids:
        if records.row("stock.picking", record)["state"] == "draft":
            _advance(records, record, "confirmed")
    return True


def action_assign(records: Records, ids: Sequence[int]) -> bool:
    """Reserve what there is; what comes from outside needs no stock."""
    for record in ids:
        row = records.row("stock.picking", record)
        if row["state"] not in ("confirmed", "waiting"):
            continue
        moves = _moves(records, record)
        outside = records.row("stock.location", row["location_id"])["usage"] != "internal"
        if outside or all(
            _stock(records, move["product_id"], move["location_id"])["quantity"] >= move["product_uom_qty"] for move in moves
        ):
            _advance(records, record, "assigned")
    return True


def action_cancel(records: Records, ids: Sequence[int]) -> bool:
    for record in ids:
        if records.row("stock.picking", record)["state"] == "done":
            raise user_error(
                "You cannot cancel a stock move that has been set to 'Done'. Create a return in order to reverse the moves which took place."
            )
        _advance(records, record, "cancel")
    return True


def button_validate(records: Records, ids: Sequence[int]) -> bool | dict[str, Any]:
    """A partial one answers with a wizard and does nothing, unless the context says to skip it."""
    field = "quantity" if "quantity" in records.fields("stock.move") else "quantity_done"
    waiting = [record for record in ids if records.row("stock.picking", record)["state"] not in ("done", "cancel")]
    moves = {record: _moves(records, record) for record in waiting}
    for record, lines in moves.items():
        if not lines:
            raise user_error("Please add some items to move.")
        if all(line[field] == 0 for line in lines):
            raise user_error(f"You cannot validate transfer {records.row('stock.picking', record)['name']}: no quantities are set.")
    partial = any(line[field] < line["product_uom_qty"] for lines in moves.values() for line in lines)
    if partial and not records.context.get("skip_backorder"):
        return {"type": "ir.actions.act_window", "res_model": "stock.backorder.confirmation", "views": [[False, "form"]]}
    for record, lines in moves.items():
        for line in lines:
            for location, sign in ((line["location_id"], -1), (line["location_dest_id"], 1)):
                quant = _stock(records, line["product_id"], location)
                _set(records, "stock.quant", quant, quantity=round(quant["quantity"] + sign * line[field], 2))
        _advance(records, record, "done")
        _set(records, "stock.picking", records.row("stock.picking", record), date_done=records.now)
    return True


def _stock(records: Records, product: int, location: int) -> Row:
    for record in records.store.children("stock.quant", "product_id", [product]) or []:
        row = records.row("stock.quant", record)
        if row["location_id"] == location:
            return row
    record = records.store.new_id("stock.quant")
    row = {
        "id": record,
        "product_id": product,
        "location_id": location,
        "quantity": 0.0,
        "create_date": records.now,
        "write_date": records.now,
    }
    records.store.put("stock.quant", record, row)
    return row


def _moves(records: Records, picking: int) -> list[Row]:
    return [records.row("stock.move", move) for move in records.store.children("stock.move", "picking_id", [picking]) or []]


def _advance(records: Records, picking: int, state: str) -> None:
    _set(records, "stock.picking", records.row("stock.picking", picking), state=state)
    for move in _moves(records, picking):
        _set(records, "stock.move", move, state=state)


def _set(records: Records, model: str, row: Row, **values: Any) -> None:
    records.store.put(model, row["id"], {**row, **values, "write_date": records.now})
