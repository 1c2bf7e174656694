"""Movements: a stock picking made once, then confirmed, filled and validated; an earlier attempt is taken up where it stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import text
from isthmus.connectors.odoo.compare import identity, rounded
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.linking import linked
from isthmus.connectors.odoo.loading import Loadable, load
from isthmus.connectors.odoo.operations import Movement
from isthmus.connectors.odoo.references import References
from isthmus.connectors.odoo.schema import Schema
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.warehouse import Warehouse
from isthmus.connectors.odoo.work import Work, fail_all, open_ones

_MODEL = Movement.model
_NO_WIZARD = {"skip_backorder": True, "skip_immediate": True, "skip_sms": True, "cancel_backorder": True}
"""Without these ``button_validate`` answers 200 with a wizard and does nothing."""
_CHANGED = Fault(
    "reject", "already-done", f"{_MODEL}: it is done with other quantities: send the difference under a new key, or abandon this one"
)
_CANCELLED = Fault(
    "reject", "movement-cancelled", f"{_MODEL}: somebody cancelled it in Odoo; abandon this delivery, or send it under a new key"
)
_EDITED = Fault(
    "reject", "draft-differs", f"{_MODEL}: there is one with other contents under this key, not done; cancel it in Odoo and use a new key"
)
_GONE = Fault("retry", "no-effect", f"{_MODEL}/load: Odoo answered with an id, but there is no record")
_NOT_DONE = Fault("retry", "no-effect", f"{_MODEL}/button_validate: Odoo said yes, but the movement is not done")


class _State:
    """A picking as Odoo holds it."""

    def __init__(self, state: str, moves: Sequence[dict[str, Any]]) -> None:
        self.state = state
        self.moves = [move for move in moves if move["state"] != "cancel"]


class Movements:
    def __init__(self, session: Session, schema: Schema, references: References, warehouse: Warehouse, batches: Batches) -> None:
        self._session = session
        self._schema = schema
        self._references = references
        self._warehouse = warehouse
        self._batches = batches

    async def settle(self, works: Sequence[Work[Movement]], deadline: Deadline) -> None:
        """Give each an outcome; no two have the same key."""
        ready = await linked(works, self._references, deadline, make=True)
        await self._make(ready, deadline)
        states = await self._read(ready, deadline, written=True)
        if gone := [work for work in open_ones(ready) if work not in states]:
            for work in gone:
                self._references.forget(_MODEL, work.xml_id)
            await self._make(gone, deadline)
            states |= await self._read(gone, deadline, written=True)
        waiting = [work for work in open_ones(ready) if self._judge(work, states.get(work), unchanged=True)]
        await self._finish(waiting, states, deadline)

    async def check(self, work: Work[Movement], deadline: Deadline) -> None:
        """Settle it if it is there and done, or can never be; nothing is written."""
        work.id = self._references.known(_MODEL, work.xml_id) or await self._references.find(_MODEL, work.xml_id, deadline)
        if work.id and await linked([work], self._references, deadline, make=False):
            states = await self._read([work], deadline)
            if work in states:
                self._judge(work, states[work], unchanged=False)

    async def _make(self, works: Sequence[Work[Movement]], deadline: Deadline) -> None:
        rows: list[Loadable[Work[Movement]]] = []
        for work in works:
            work.id = self._references.known(_MODEL, work.xml_id)
            if not work.id:
                rows.append(await self._rows(work, deadline))

        def made(row: Loadable[Work[Movement]], id: int) -> None:
            row.item.id = id
            self._references.remember(_MODEL, row.item.xml_id, id)

        failed = await load(self._session, self._batches, rows, deadline, once=True, done=made)
        fail_all((row.item, fault) for row, fault in failed)

    async def _rows(self, work: Work[Movement], deadline: Deadline) -> Loadable[Work[Movement]]:
        movement = work.operation
        route = await self._warehouse.route(movement.kind, deadline)
        source = str(work.links[movement.source]) if movement.source else str(route.source)
        target = str(work.links[movement.destination]) if movement.destination else str(route.destination)
        head = {"id": work.xml_id, "picking_type_id/.id": str(route.type), "origin": movement.origin}
        head |= {"location_id/.id": source, "location_dest_id/.id": target}
        lines = await self._warehouse.lines(_MODEL, deadline)
        rows: list[dict[str, str]] = []
        for product, quantity in _wanted(work).items():
            cells = {
                "product_id/.id": str(product),
                "product_uom_qty": text(quantity),
                "location_id/.id": source,
                "location_dest_id/.id": target,
            }
            cells |= await self._warehouse.required(product, movement.origin, deadline)
            rows.append({**({} if rows else head), **{f"{lines}/{name}": cell for name, cell in cells.items()}})
        columns = tuple(rows[0])
        return Loadable(work, _MODEL, columns, [[row.get(column, "") for column in columns] for row in rows])

    async def _read(self, works: Sequence[Work[Movement]], deadline: Deadline, *, written: bool = False) -> dict[Work[Movement], _State]:
        found: dict[Work[Movement], _State] = {}
        done = await self._warehouse.done_field(deadline)

        async def read(batch: Sequence[Work[Movement]]) -> None:
            ids = [work.id for work in batch]
            heads = await self._session.read(_MODEL, "search_read", deadline, None, domain=[["id", "in", ids]], fields=["state"])
            names = ["picking_id", "product_id", "product_uom_qty", done, "state"]
            moves = await self._session.read("stock.move", "search_read", deadline, None, domain=[["picking_id", "in", ids]], fields=names)
            by_picking: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for move in moves:
                by_picking[identity(move["picking_id"])].append({**move, "done": move[done]})
            by_id = {head["id"]: _State(head["state"], by_picking[head["id"]]) for head in heads}
            found.update((work, by_id[work.id]) for work in batch if work.id in by_id)

        for work, fault in await self._batches.run([work for work in open_ones(works) if work.id], read):
            work.fail(fault, written=written)
        return found

    def _judge(self, work: Work[Movement], state: _State | None, *, unchanged: bool) -> bool:
        """Settle what is not to be finished; true for one that is."""
        if state is None:
            work.fail(_GONE)
        elif state.state == "cancel":
            work.fail(_CANCELLED)
        elif not _equal(work, state, "done" if state.state == "done" else "product_uom_qty"):
            work.fail(_CHANGED if state.state == "done" else _EDITED)
        elif state.state == "done":
            work.deliver("done", unchanged=unchanged)
        else:
            return True
        return False

    async def _finish(self, works: Sequence[Work[Movement]], states: dict[Work[Movement], _State], deadline: Deadline) -> None:
        """Confirm, reserve, fill and validate; what Odoo refuses on the way is looked at once more before it is believed."""
        failed: dict[Work[Movement], Fault] = {}
        waiting = list(works)
        for method, wanted in (("action_confirm", {"draft"}), ("action_assign", {"draft", "confirmed", "waiting"})):

            async def act(batch: Sequence[Work[Movement]], method: str = method) -> None:
                await self._session.write(_MODEL, method, deadline, [work.id for work in batch])

            failed |= dict(await self._batches.run([work for work in waiting if states[work].state in wanted], act))
            waiting = [work for work in waiting if work not in failed]
        failed |= dict(await self._batches.run(waiting, lambda batch: self._validate(batch, states, deadline)))
        after = await self._read(works, deadline, written=True)
        for work in open_ones(works):
            state = after.get(work)
            if state is not None and state.state not in ("done", "cancel"):
                work.fail(failed.get(work, _NOT_DONE))
            else:
                self._judge(work, state, unchanged=False)

    async def _validate(self, batch: Sequence[Work[Movement]], states: dict[Work[Movement], _State], deadline: Deadline) -> None:
        fields = await self._warehouse.fill_fields(deadline)
        ids = [work.id for work in batch]
        rows = [
            [str(move["id"]), text(move["product_uom_qty"]), *("1" for _ in fields[1:])]
            for work in batch
            for move in states[work].moves
            if move["state"] != "done"
        ]
        if rows:
            await self._session.load("stock.move", (".id", *fields), rows, deadline, once=False)
        context = {**_NO_WIZARD, "picking_ids_not_to_backorder": ids}
        await self._session.write(_MODEL, "button_validate", deadline, ids, context)


def _wanted(work: Work[Movement]) -> dict[int, float]:
    """Quantities by product; Odoo itself would merge two moves of one product."""
    total: dict[int, float] = defaultdict(float)
    for move in work.operation.moves:
        total[work.links[move.product]] += move.quantity
    return total


def _equal(work: Work[Movement], state: _State, field: str) -> bool:
    actual: dict[int, float] = defaultdict(float)
    for move in state.moves:
        actual[identity(move["product_id"])] += move[field]
    wanted = _wanted(work)
    return actual.keys() == wanted.keys() and all(rounded(actual[product], quantity) for product, quantity in wanted.items())
