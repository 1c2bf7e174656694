"""Linking: finds the records that documents point to, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.operations import Invoice, Movement, links
from isthmus.connectors.odoo.references import References, sure
from isthmus.connectors.odoo.session import Deadline
from isthmus.connectors.odoo.work import Work

Document = TypeVar("Document", Invoice, Movement)


async def linked(works: Sequence[Work[Document]], references: References, deadline: Deadline, *, make: bool) -> list[Work[Document]]:
    """Those whose links were all found (or, with ``make``, made); the others fail, each by itself."""
    named = {work: links(work.operation) for work in works}
    found = await references.resolve((link for one in named.values() for link in one), deadline, make=make)
    ready: list[Work[Document]] = []
    for work, its in named.items():
        try:
            work.links = sure(found, its)
        except Fault as fault:
            work.fail(fault)
        else:
            ready.append(work)
    return ready
