"""Withdrawals: what is under a key shall count no more. Cancelled or archived, never deleted; absent is as good."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.operations import Withdraw
from isthmus.connectors.odoo.references import References
from isthmus.connectors.odoo.schema import Schema
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.work import Work

_POSTED = "account.move: a posted invoice cannot be withdrawn: make a credit note (kind='out_refund')"
_DONE = "stock.picking: a movement that is done cannot be withdrawn: move the goods back (kind='return')"


class Withdrawals:
    def __init__(self, session: Session, schema: Schema, references: References) -> None:
        self._session = session
        self._schema = schema
        self._references = references

    async def settle(self, work: Work[Withdraw], deadline: Deadline) -> None:
        """Give it an outcome."""
        code = await self._state(work, deadline)
        if code:
            work.deliver(code, unchanged=True)
            return
        model = work.operation.model
        match model:
            case "account.move":
                await self._session.write(model, "button_cancel", deadline, [work.id])
            case "stock.picking":
                await self._session.write(model, "action_cancel", deadline, [work.id])
            case "project.task" if "state" in await self._schema.fields(model, deadline):
                await self._session.write(model, "write", deadline, [work.id], vals={"state": "1_canceled"})
            case _:
                await self._session.write(model, "write", deadline, [work.id], vals={"active": False})
        code = await self._state(work, deadline)
        if code:
            work.deliver(code)
        else:
            work.fail(Fault("retry", "no-effect", f"{model}: Odoo said yes, but the record still counts"))

    async def check(self, work: Work[Withdraw], deadline: Deadline) -> None:
        """Settle it if it counts no more; nothing is written."""
        if code := await self._state(work, deadline):
            work.deliver(code)

    async def _state(self, work: Work[Withdraw], deadline: Deadline) -> str:
        """Why it counts no more: ``absent``, ``cancelled`` or ``archived``; empty while it does. Raises ``Fault`` where that cannot be."""
        model = work.operation.model
        work.id = self._references.known(model, work.xml_id) or await self._references.find(model, work.xml_id, deadline)
        row = await self._row(model, work.id, deadline) if work.id else None
        if row is None:
            self._references.forget(model, work.xml_id)
            work.id = 0
            return "absent"
        if row.get("active") is False:
            return "archived"
        match model, row.get("state"):
            case "account.move", "posted":
                raise Fault("reject", "already-posted", _POSTED)
            case "stock.picking", "done":
                raise Fault("reject", "already-done", _DONE)
            case (("account.move" | "stock.picking"), "cancel"):
                return "cancelled"
            case "project.task", "1_canceled":
                return "cancelled"
        if model not in ("account.move", "stock.picking", "project.task") and "active" not in row:
            raise Fault(
                "reject", "cannot-withdraw", f"{model}: records of this model can be neither cancelled nor archived; a person must decide"
            )
        return ""

    async def _row(self, model: str, id: int, deadline: Deadline) -> dict[str, Any] | None:
        fields = await self._schema.fields(model, deadline)
        names = [name for name in ("state", "active") if name in fields]
        rows = await self._session.read(
            model, "search_read", deadline, None, {"active_test": False}, domain=[["id", "=", id]], fields=names or ["id"]
        )
        return rows[0] if rows else None
