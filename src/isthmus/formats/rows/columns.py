"""Columns: what a column of a file has to hold, checked row by row. Values never get into a violation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.formats.rows.row import Row, read_date, read_number

Type = Literal["text", "integer", "decimal", "date"]


class Column(Struct, frozen=True, kw_only=True):
    """One column of the agreement; see :func:`column`."""

    name: str
    type: Type = "text"
    required: bool = False
    codes: frozenset[str] = frozenset()
    length: int = 0
    least: Decimal | None = None
    most: Decimal | None = None
    pattern: str = "%Y-%m-%d"

    def check(self, row: Row, decimal: str) -> Iterator[Violation]:
        """What is wrong with the value of this column: the first thing."""
        text = row[self.name]
        if not text:
            if self.required:
                yield Violation(row.where(self.name), "required", "send a value")
        elif (broken := self._broken(text, decimal)) is not None:
            yield Violation(row.where(self.name), *broken)

    def _broken(self, text: str, decimal: str) -> tuple[str, str] | None:
        """Rule and cure."""
        if self.codes and text not in self.codes:
            listed = sorted(self.codes)
            return "code-set", f"send one of {', '.join(listed)}" if len(listed) <= 12 else f"send one of the {len(listed)} agreed codes"  # noqa: PLR2004
        if self.length and len(text) > self.length:
            return "length", f"send at most {self.length} characters"
        if self.type == "date" and read_date(text, self.pattern) is None:
            return "type", f"send a date such as {dt.date(2026, 12, 31).strftime(self.pattern)}"
        if self.type in ("integer", "decimal"):
            return self._broken_number(text, decimal)
        return None

    def _broken_number(self, text: str, decimal: str) -> tuple[str, str] | None:
        number = read_number(text, decimal)
        if number is None:
            return "type", f"send a number such as -12{decimal}50, without thousands separators"
        if self.type == "integer" and number != number.to_integral_value():
            return "type", "send a whole number"
        if self.least is not None and number < self.least:
            return "range", f"send a number of at least {self.least}"
        if self.most is not None and number > self.most:
            return "range", f"send a number of at most {self.most}"
        return None


def column(
    name: str,
    type: Type = "text",
    *,
    required: bool = False,
    codes: Iterable[str] = (),
    length: int = 0,
    least: Decimal | int | None = None,
    most: Decimal | int | None = None,
    pattern: str = "%Y-%m-%d",
) -> Column:
    """A column: ``column("price", "decimal", required=True, least=0)``. ``pattern`` is how a date is written, as ``strptime`` has it;
    ``least`` and ``most`` bound a number; ``length`` bounds the characters of a text.
    """
    return Column(
        name=name,
        type=type,
        required=required,
        codes=frozenset(codes),
        length=length,
        least=None if least is None else Decimal(least),
        most=None if most is None else Decimal(most),
        pattern=pattern,
    )
