"""Declared: what a sender says a file holds, in its trailer or in a file beside it, and whether that is so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.failure import Invalid
from isthmus.formats.rows.row import read_number
from isthmus.formats.rows.row_file import Trailer


class Declared(Struct, frozen=True, kw_only=True):
    """As JSON, the content of ``<name>.totals`` beside a file: ``{"rows": 500000, "totals": {"price": "12.50"}}``."""

    rows: int | None = None
    totals: dict[str, Decimal] = {}
    unread: tuple[str, ...] = ()
    """Places of the trailer that should hold a number and do not."""

    @classmethod
    def of_trailer(cls, trailer: Trailer, cells: Sequence[str], decimal: str) -> Declared:
        def at(place: int) -> Decimal | None:
            return read_number(cells[place - 1], decimal) if place <= len(cells) else None

        rows = at(trailer.rows) if trailer.rows else None
        totals = {name: at(place) for name, place in trailer.totals.items()}
        unread = [name for name, total in totals.items() if total is None]
        if trailer.rows and rows is None:
            unread.insert(0, "rows")
        return cls(
            rows=None if rows is None else int(rows),
            totals={name: total for name, total in totals.items() if total is not None},
            unread=tuple(unread),
        )

    @classmethod
    def of_sidecar(cls, content: bytes) -> Declared:
        """Raises ``Invalid`` (``sidecar``)."""
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.MsgspecError:
            raise Invalid("sidecar", 'beside the file, in <name>.totals, send {"rows": 2, "totals": {"price": "12.50"}}') from None


def disagreements(name: str, declared: Declared, rows: int, totals: Mapping[str, Decimal]) -> Iterator[Violation]:
    """``name``: of what declares it. Counts and sums are no values of a row, so they are told."""
    for place in declared.unread:
        yield Violation(f"{name}, {place}", "type", "send a number")
    if declared.rows is not None and declared.rows != rows:
        yield Violation(f"{name}, rows", "count", f"send the number of rows; {declared.rows} are declared, {rows} have come")
    for column, total in declared.totals.items():
        if column not in totals:
            yield Violation(
                f"{name}, {column}", "total", "this total was not agreed: leave it away, or let the receiver name it under totals"
            )
        elif totals[column] != total:
            yield Violation(f"{name}, {column}", "total", f"send the sum of the column; {total} is declared, {totals[column]:f} has come")
