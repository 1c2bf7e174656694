"""Work: one delivery on its way through a send, until it has an outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.operations import Operation
from isthmus.connectors.odoo.values import Link, external_id
from isthmus.core.ids import derive_id
from isthmus.core.outcome import Delivered, Outcome, Receipt, Unknown

A_co = TypeVar("A_co", bound=Operation, covariant=True)


class Work(Generic[A_co]):
    """Mutable, lives for one ``send`` only. ``outcome`` is set once, by whoever settles it."""

    __slots__ = ("digest", "id", "links", "operation", "outcome", "xml_id")

    def __init__(self, operation: A_co, body: bytes) -> None:
        self.operation = operation
        self.xml_id = external_id(operation.key)
        self.digest = derive_id("odoo", body)
        self.links: dict[Link, int] = {}
        self.id = 0
        self.outcome: Outcome | None = None

    def fail(self, fault: Fault, *, written: bool = False) -> None:
        """``written``: something was written before this, so that nothing can be said to have had no effect."""
        unread = written and fault.verdict == "retry"
        self.outcome = Unknown(fault.code, fault.detail, fault.untried) if unread else fault.outcome

    def deliver(self, code: str, *, unchanged: bool = False, id: int = 0) -> None:
        """Settled: the state that was read back says so."""
        model, known = self.operation.model, id or self.id
        seen = Receipt("business", code, f"{model}/{known}" if known else model)
        self.outcome = Delivered((Receipt("application", "200"), seen), unchanged=unchanged)


def fail_all(failed: Iterable[tuple[Work[Any], Fault]]) -> None:
    for work, fault in failed:
        work.fail(fault)


W = TypeVar("W", bound=Work[Any])


def open_ones(works: Iterable[W]) -> list[W]:
    """Those that have no outcome yet."""
    return [work for work in works if work.outcome is None]
