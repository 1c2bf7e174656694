"""Contract for files of rows: which columns there are and what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isthmus.core.contract import Violation
from isthmus.core.failure import Bug, Invalid
from isthmus.formats.rows.columns import Column
from isthmus.formats.rows.document import Rows
from isthmus.formats.rows.format import RowsFormat
from isthmus.formats.rows.part import MANIFEST
from isthmus.formats.rows.row import Row


class Contract:
    """``Contract("price-list", column("sku", required=True), column("price", "decimal", least=0), identifiers={"item": "sku"})``.

    Satisfies ``core.contract.Contract[Rows]``. The columns may stand in any order, and others beside them. Takes the manifest too, so
    the interface has a translator for ``price-list.manifest``. ``identifiers``: by kind of identifier the column that holds it, so that
    people find the row by it.
    """

    def __init__(self, kind: str, *columns: Column, identifiers: Mapping[str, str] | None = None) -> None:
        names = [one.name for one in columns]
        unknown = sorted(set((identifiers or {}).values()) - set(names))
        if len(set(names)) != len(names) or unknown:
            raise Bug(
                "columns", f"contract {kind}: declare each column once; identifiers name columns (unknown: {', '.join(unknown) or 'none'})"
            )
        self.columns = columns
        self._kinds = (kind, kind + MANIFEST)
        self._format = RowsFormat(identifiers)

    @property
    def format(self) -> RowsFormat:
        return self._format

    @property
    def kinds(self) -> tuple[str, ...]:
        return self._kinds

    def check(self, document: Rows) -> tuple[Violation, ...]:
        """Every violation of every row at once, each with its line in the file; what is wrong with the header comes first."""
        if document.is_manifest:
            return _as_violations("", document)
        return tuple(self._check(document))

    def _check(self, document: Rows) -> Iterator[Violation]:
        if document.flaw is not None:
            yield Violation("header", document.flaw.code, document.flaw.detail)
            return
        if document.part.label.dialect.form == "delimited":
            present = document.columns
            if len(set(present)) != len(present):
                yield Violation("header", "header", "name each column once")
                return
            missing = [one.name for one in self.columns if one.required and one.name not in present]
            if missing:
                yield Violation("header", "header", f"send the columns {', '.join(missing)}, so named in the header")
                return
        decimal = document.part.label.dialect.decimal
        for row in document.rows:
            if row.flaw is not None:
                yield Violation(row.where(), row.flaw.code, row.flaw.detail)
            else:
                yield from self._in(row, decimal)

    def _in(self, row: Row, decimal: str) -> Iterator[Violation]:
        for one in self.columns:
            yield from one.check(row, decimal)


def _as_violations(where: str, document: Rows) -> tuple[Violation, ...]:
    try:
        _ = document.manifest
    except Invalid as flaw:
        return (Violation(where, flaw.code, flaw.detail),)
    return ()
