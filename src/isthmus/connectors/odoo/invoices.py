"""Invoices: made once, then posted; an earlier attempt is taken up where it stopped. What is posted is never changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import text
from isthmus.connectors.odoo.compare import identity, rounded
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.linking import linked
from isthmus.connectors.odoo.loading import Loadable, load
from isthmus.connectors.odoo.operations import Invoice, InvoiceLine
from isthmus.connectors.odoo.references import References
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.work import Work, fail_all, open_ones

_MODEL = Invoice.model
_HEAD = ("id", "move_type", "partner_id/.id", "ref", "invoice_date")
_LINE = tuple(f"invoice_line_ids/{name}" for name in ("product_id/.id", "name", "quantity", "price_unit", "tax_ids/.id"))
_READ = ["state", "posted_before", "move_type", "partner_id", "ref", "invoice_date"]
_CHANGED = Fault(
    "reject",
    "already-posted",
    f"{_MODEL}: it is posted with other contents: make a credit note and an invoice under a new key, or abandon this one",
)
_CANCELLED = Fault(
    "reject", "invoice-cancelled", f"{_MODEL}: somebody cancelled it in Odoo; abandon this delivery, or bill under a new key"
)
_EDITED = Fault(
    "reject", "draft-differs", f"{_MODEL}: there is a draft with other contents under this key; delete or cancel it in Odoo, then redeliver"
)
_GONE = Fault("retry", "no-effect", f"{_MODEL}/load: Odoo answered with an id, but there is no record")
_NOT_POSTED = Fault("retry", "no-effect", f"{_MODEL}/action_post: Odoo said yes, but the invoice is not posted")


class _State:
    """An invoice as Odoo holds it."""

    def __init__(self, head: dict[str, Any], lines: Sequence[dict[str, Any]]) -> None:
        self.head = head
        self.lines = lines
        self.state: str = head["state"]


class Invoices:
    def __init__(self, session: Session, references: References, batches: Batches) -> None:
        self._session = session
        self._references = references
        self._batches = batches

    async def settle(self, works: Sequence[Work[Invoice]], deadline: Deadline) -> None:
        """Give each an outcome; no two have the same key."""
        ready = await linked(works, self._references, deadline, make=True)
        await self._make(ready, deadline)
        states = await self._read(ready, deadline, written=True)
        if gone := [work for work in open_ones(ready) if work not in states]:
            for work in gone:
                self._references.forget(_MODEL, work.xml_id)
                work.id = 0
            await self._make(gone, deadline)
            states |= await self._read(gone, deadline, written=True)
        drafts = [work for work in open_ones(ready) if self._judge(work, states.get(work), unchanged=True)]
        await self._post(drafts, deadline)

    async def check(self, work: Work[Invoice], deadline: Deadline) -> None:
        """Settle it if it is there and posted, or can never be; nothing is written."""
        work.id = self._references.known(_MODEL, work.xml_id) or await self._references.find(_MODEL, work.xml_id, deadline)
        if work.id and await linked([work], self._references, deadline, make=False):
            states = await self._read([work], deadline)
            if work in states:
                self._judge(work, states[work], unchanged=False)

    async def _make(self, works: Sequence[Work[Invoice]], deadline: Deadline) -> None:
        absent: list[Work[Invoice]] = []
        for work in works:
            work.id = self._references.known(_MODEL, work.xml_id)
            if not work.id:
                absent.append(work)
        taxes = await self._taxes(absent, deadline)

        def made(row: Loadable[Work[Invoice]], id: int) -> None:
            row.item.id = id
            self._references.remember(_MODEL, row.item.xml_id, id)

        rows = [_rows(work, taxes) for work in absent]
        failed = await load(self._session, self._batches, rows, deadline, once=True, done=made)
        fail_all((row.item, fault) for row, fault in failed)

    async def _taxes(self, works: Sequence[Work[Invoice]], deadline: Deadline) -> dict[int, str]:
        """The taxes of products on taxed lines: a loaded line takes none by itself."""
        products = {work.links[line.product] for work in works for line in work.operation.lines if line.taxed}
        if not products:
            return {}
        rows = await self._session.read(
            "product.product", "search_read", deadline, None, domain=[["id", "in", sorted(products)]], fields=["taxes_id"]
        )
        return {row["id"]: ",".join(map(str, row["taxes_id"])) for row in rows}

    async def _read(self, works: Sequence[Work[Invoice]], deadline: Deadline, *, written: bool = False) -> dict[Work[Invoice], _State]:
        found: dict[Work[Invoice], _State] = {}

        async def read(batch: Sequence[Work[Invoice]]) -> None:
            ids = [work.id for work in batch]
            heads = await self._session.read(_MODEL, "search_read", deadline, None, domain=[["id", "in", ids]], fields=_READ)
            lines = await self._session.read(
                "account.move.line",
                "search_read",
                deadline,
                None,
                domain=[["move_id", "in", ids], ["display_type", "in", ["product", False]], ["product_id", "!=", False]],
                fields=["move_id", "product_id", "name", "quantity", "price_unit"],
            )
            by_move: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for line in lines:
                by_move[identity(line["move_id"])].append(line)
            by_id = {head["id"]: _State(head, by_move[head["id"]]) for head in heads}
            found.update((work, by_id[work.id]) for work in batch if work.id in by_id)

        for work, fault in await self._batches.run([work for work in open_ones(works) if work.id], read):
            work.fail(fault, written=written)
        return found

    def _judge(self, work: Work[Invoice], state: _State | None, *, unchanged: bool) -> bool:
        """Settle what needs no posting; true for a draft that is as it should be."""
        if state is None:
            work.fail(_GONE)
        elif state.state == "cancel":
            work.fail(_CANCELLED)
        elif not _equal(work, state):
            work.fail(_CHANGED if state.state == "posted" else _EDITED)
        elif state.state == "posted":
            work.deliver("posted", unchanged=unchanged)
        else:
            return True
        return False

    async def _post(self, works: Sequence[Work[Invoice]], deadline: Deadline) -> None:
        async def post(batch: Sequence[Work[Invoice]]) -> None:
            await self._session.write(_MODEL, "action_post", deadline, [work.id for work in batch])

        failed = dict(await self._batches.run(works, post))
        after = await self._read(works, deadline, written=True)
        for work in open_ones(works):
            state = after.get(work)
            if state is not None and state.state == "draft":
                work.fail(failed.get(work, _NOT_POSTED))
            else:  # posted by us, or by whoever was faster
                self._judge(work, state, unchanged=False)


def _rows(work: Work[Invoice], taxes: dict[int, str]) -> Loadable[Work[Invoice]]:
    invoice = work.operation
    head = [work.xml_id, invoice.kind, str(work.links[invoice.payer]), invoice.reference, invoice.date]
    rows: list[list[str]] = []
    for line in invoice.lines:
        product = work.links[line.product]
        cells = [str(product), line.name, text(line.quantity), text(line.price_unit), taxes.get(product, "") if line.taxed else ""]
        rows.append([*(["" for _ in _HEAD] if rows else head), *cells])
    return Loadable(work, _MODEL, (*_HEAD, *_LINE), rows)


def _equal(work: Work[Invoice], state: _State) -> bool:
    invoice, head = work.operation, state.head
    same = (
        head["move_type"] == invoice.kind
        and identity(head["partner_id"]) == work.links[invoice.payer]
        and (head["ref"] or "") == invoice.reference
        and head["invoice_date"] == invoice.date
    )
    return same and _same_lines(work, invoice.lines, state.lines)


def _same_lines(work: Work[Invoice], wanted: Sequence[InvoiceLine], actual: Sequence[dict[str, Any]]) -> bool:
    """The same lines in any order; amounts as rounded by Odoo."""
    left = Counter((work.links[line.product], line.name) for line in wanted)
    left.subtract((identity(line["product_id"]), line["name"] or "") for line in actual)
    if any(left.values()):
        return False
    ours = sorted((work.links[line.product], line.name, line.quantity, line.price_unit) for line in wanted)
    theirs = sorted((identity(line["product_id"]), line["name"] or "", line["quantity"], line["price_unit"]) for line in actual)
    return all(rounded(one[2], other[2]) and rounded(one[3], other[3]) for one, other in zip(ours, theirs, strict=True))
