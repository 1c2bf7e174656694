"""Invoices: a customer's invoice or credit note, posted. What is posted is never changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import text
from isthmus.connectors.odoo.compare import identity, rounded
from isthmus.connectors.odoo.documents import Held, Verdicts
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.loading import Loadable
from isthmus.connectors.odoo.operations import Invoice, InvoiceLine
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.work import Work

_MODEL = Invoice.model
_HEAD = ("id", "move_type", "partner_id/.id", "ref", "invoice_date")
_LINE = tuple(f"invoice_line_ids/{name}" for name in ("product_id/.id", "name", "quantity", "price_unit", "tax_ids/.id"))
_READ = ["state", "move_type", "partner_id", "ref", "invoice_date"]
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
_NOT_POSTED = Fault("retry", "no-effect", f"{_MODEL}/action_post: Odoo said yes, but the invoice is not posted")


class Invoices:
    """Fulfils ``documents.Kind``."""

    model = _MODEL
    finished = "posted"
    verdicts = Verdicts(changed=_CHANGED, cancelled=_CANCELLED, edited=_EDITED, unfinished=_NOT_POSTED)

    def __init__(self, session: Session, batches: Batches) -> None:
        self._session = session
        self._batches = batches

    async def rows(self, works: Sequence[Work[Invoice]], deadline: Deadline) -> list[Loadable[Work[Invoice]]]:
        taxes = await self._taxes(works, deadline)
        return [_rows(work, taxes) for work in works]

    async def _taxes(self, works: Sequence[Work[Invoice]], deadline: Deadline) -> dict[int, str]:
        """The taxes of products on taxed lines: a loaded line takes none by itself."""
        products = {work.links[line.product] for work in works for line in work.operation.lines if line.taxed}
        if not products:
            return {}
        rows = await self._session.read(
            "product.product", "search_read", deadline, None, domain=[["id", "in", sorted(products)]], fields=["taxes_id"]
        )
        return {row["id"]: ",".join(map(str, row["taxes_id"])) for row in rows}

    async def read(self, ids: Sequence[int], deadline: Deadline) -> dict[int, Held]:
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
        return {head["id"]: Held(head["state"], head, by_move[head["id"]]) for head in heads}

    def equal(self, work: Work[Invoice], held: Held) -> bool:
        invoice, head = work.operation, held.head
        same = (
            head["move_type"] == invoice.kind
            and identity(head["partner_id"]) == work.links[invoice.payer]
            and (head["ref"] or "") == invoice.reference
            and head["invoice_date"] == invoice.date
        )
        return same and _same_lines(work, invoice.lines, held.lines)

    async def finish(
        self, works: Sequence[Work[Invoice]], held: Mapping[Work[Invoice], Held], deadline: Deadline
    ) -> dict[Work[Invoice], Fault]:
        del held  # a draft that is as it should be is only posted

        async def post(batch: Sequence[Work[Invoice]]) -> None:
            await self._session.write(_MODEL, "action_post", deadline, [work.id for work in batch])

        return dict(await self._batches.run(works, post))


def _rows(work: Work[Invoice], taxes: dict[int, str]) -> Loadable[Work[Invoice]]:
    invoice = work.operation
    head = [work.xml_id, invoice.kind, str(work.links[invoice.payer]), invoice.reference, invoice.date]
    rows: list[list[str]] = []
    for line in invoice.lines:
        product = work.links[line.product]
        cells = [str(product), line.name, text(line.quantity), text(line.price_unit), taxes.get(product, "") if line.taxed else ""]
        rows.append([*(["" for _ in _HEAD] if rows else head), *cells])
    return Loadable(work, _MODEL, (*_HEAD, *_LINE), rows)


def _same_lines(work: Work[Invoice], wanted: Sequence[InvoiceLine], actual: Sequence[Mapping[str, Any]]) -> bool:
    """The same lines in any order; amounts as rounded by Odoo."""
    left = Counter((work.links[line.product], line.name) for line in wanted)
    left.subtract((identity(line["product_id"]), line["name"] or "") for line in actual)
    if any(left.values()):
        return False
    ours = sorted((work.links[line.product], line.name, line.quantity, line.price_unit) for line in wanted)
    theirs = sorted((identity(line["product_id"]), line["name"] or "", line["quantity"], line["price_unit"]) for line in actual)
    return all(rounded(one[2], other[2]) and rounded(one[3], other[3]) for one, other in zip(ours, theirs, strict=True))
