"""Movements: a stock picking that says what was moved, validated. What is validated is never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import text
from isthmus.connectors.odoo.compare import identity, rounded
from isthmus.connectors.odoo.documents import Held, Verdicts
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.loading import Loadable
from isthmus.connectors.odoo.operations import Movement
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.warehouse import Warehouse
from isthmus.connectors.odoo.work import Work

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
_NOT_DONE = Fault("retry", "no-effect", f"{_MODEL}/button_validate: Odoo said yes, but the movement is not done")


class Movements:
    """Fulfils ``documents.Kind``."""

    model = _MODEL
    finished = "done"
    verdicts = Verdicts(changed=_CHANGED, cancelled=_CANCELLED, edited=_EDITED, unfinished=_NOT_DONE)

    def __init__(self, session: Session, warehouse: Warehouse, batches: Batches) -> None:
        self._session = session
        self._warehouse = warehouse
        self._batches = batches

    async def rows(self, works: Sequence[Work[Movement]], deadline: Deadline) -> list[Loadable[Work[Movement]]]:
        return [await self._row(work, deadline) for work in works]

    async def _row(self, work: Work[Movement], deadline: Deadline) -> Loadable[Work[Movement]]:
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
            if await self._warehouse.moved_at_once(deadline):
                cells |= {name: text(quantity) if index == 0 else "1" for index, name in enumerate(await self._warehouse.fill(deadline))}
            cells |= await self._warehouse.required(product, movement.origin, deadline)
            rows.append({**({} if rows else head), **{f"{lines}/{name}": cell for name, cell in cells.items()}})
        columns = tuple(rows[0])
        return Loadable(work, _MODEL, columns, [[row.get(column, "") for column in columns] for row in rows])

    async def read(self, ids: Sequence[int], deadline: Deadline) -> dict[int, Held]:
        fill = await self._warehouse.fill(deadline)
        heads = await self._session.read(_MODEL, "search_read", deadline, None, domain=[["id", "in", ids]], fields=["state"])
        names = ["picking_id", "product_id", "product_uom_qty", *fill, "state"]
        moves = await self._session.read("stock.move", "search_read", deadline, None, domain=[["picking_id", "in", ids]], fields=names)
        by_picking: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for move in moves:
            if move["state"] != "cancel":
                by_picking[identity(move["picking_id"])].append({**move, "done": move[fill[0]], "picked": all(move[name] for name in fill)})
        return {head["id"]: Held(head["state"], head, by_picking[head["id"]]) for head in heads}

    def equal(self, work: Work[Movement], held: Held) -> bool:
        counted = "done" if held.state == self.finished else "product_uom_qty"
        actual: dict[int, float] = defaultdict(float)
        for move in held.lines:
            actual[identity(move["product_id"])] += move[counted]
        wanted = _wanted(work)
        return actual.keys() == wanted.keys() and all(rounded(actual[product], quantity) for product, quantity in wanted.items())

    async def finish(
        self, works: Sequence[Work[Movement]], held: Mapping[Work[Movement], Held], deadline: Deadline
    ) -> dict[Work[Movement], Fault]:
        """Say what has been moved, where that was not said when it was made, and validate. Before Odoo 17 it is confirmed and
        reserved first; from then on that follows from the quantity moved.
        """
        failed: dict[Work[Movement], Fault] = {}
        waiting = list(works)
        if not await self._warehouse.moved_at_once(deadline):
            for method, states in (("action_confirm", {"draft"}), ("action_assign", {"draft", "confirmed", "waiting"})):

                async def act(batch: Sequence[Work[Movement]], method: str = method) -> None:
                    await self._session.write(_MODEL, method, deadline, [work.id for work in batch])

                failed |= dict(await self._batches.run([work for work in waiting if held[work].state in states], act))
                waiting = [work for work in waiting if work not in failed]
        return failed | dict(await self._batches.run(waiting, lambda batch: self._validate(batch, held, deadline)))

    async def _validate(self, batch: Sequence[Work[Movement]], held: Mapping[Work[Movement], Held], deadline: Deadline) -> None:
        fill = await self._warehouse.fill(deadline)
        rows = [
            [str(move["id"]), text(move["product_uom_qty"]), *("1" for _ in fill[1:])]
            for work in batch
            for move in held[work].lines
            if move["state"] != "done" and not (move["picked"] and move["done"] == move["product_uom_qty"])
        ]
        if rows:
            await self._session.load("stock.move", (".id", *fill), rows, deadline, once=False)
        ids = [work.id for work in batch]
        context = {**_NO_WIZARD, "picking_ids_not_to_backorder": ids}
        await self._session.write(_MODEL, "button_validate", deadline, ids, context)


def _wanted(work: Work[Movement]) -> dict[int, float]:
    """Quantities by product; Odoo itself would merge two moves of one product."""
    total: dict[int, float] = defaultdict(float)
    for move in work.operation.moves:
        total[work.links[move.product]] += move.quantity
    return total
