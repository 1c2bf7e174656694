"""Row: one row of a file, its columns read by name. Failures name the line of the file and the column, never a value."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any, Final, TypeVar, overload

import msgspec

from isthmus.core.failure import Invalid
from isthmus.formats.rows.part import Dialect, cells

T = TypeVar("T")
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})")


class _Required:
    """Stands for "no default was given"."""


_REQUIRED: Final = _Required()


class Row:
    """``row["price"]`` is text, empty where the column is absent; nothing is trimmed but blanks at both ends."""

    __slots__ = ("_dialect", "flaw", "line", "number", "raw", "values")

    def __init__(self, raw: bytes, number: int, line: int, columns: tuple[str, ...], dialect: Dialect) -> None:
        self.raw = raw
        """Its bytes as they stand in the file."""
        self.number = number
        """In the file, from 1, the header not counted."""
        self.line = line
        self._dialect = dialect
        self.flaw: Invalid | None = None
        """Why it cannot be read; then it has no values."""
        self.values: dict[str, str] = {}
        try:
            self.values = _values(raw, columns, dialect)
        except Invalid as flaw:
            self.flaw = flaw

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")

    def required(self, column: str) -> str:
        """The text; ``Invalid`` where it is empty."""
        return self[column] or self._absent(column, _REQUIRED)

    @overload
    def number_at(self, column: str) -> Decimal: ...
    @overload
    def number_at(self, column: str, default: T) -> Decimal | T: ...
    def number_at(self, column: str, default: T | _Required = _REQUIRED) -> Decimal | T:
        """The number in a column. Absent: ``default``, or ``Invalid`` without one. No number: ``Invalid``."""
        text = self[column]
        if not text:
            return self._absent(column, default)
        found = read_number(text, self._dialect.decimal)
        if found is None:
            raise Invalid("type", f"{self.where(column)}: send a number such as -12{self._dialect.decimal}50, without thousands separators")
        return found

    @overload
    def date(self, column: str, pattern: str = ...) -> dt.date: ...
    @overload
    def date(self, column: str, pattern: str = ..., *, default: T) -> dt.date | T: ...
    def date(self, column: str, pattern: str = "%Y-%m-%d", *, default: T | _Required = _REQUIRED) -> dt.date | T:
        """The day in a column, written as ``pattern`` (of ``strptime``) says."""
        text = self[column]
        if not text:
            return self._absent(column, default)
        found = read_date(text, pattern)
        if found is None:
            raise Invalid("type", f"{self.where(column)}: send a date such as {dt.date(2026, 12, 31).strftime(pattern)}")
        return found

    def read(self, shape: type[T]) -> T:
        """A row of JSON as a struct; ``Invalid`` where it is none."""
        try:
            return msgspec.json.decode(self.raw, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Invalid("shape", f"{self.where()}: send a {shape.__name__} as the interface's README shows") from None

    def where(self, column: str = "") -> str:
        """``line 18, price``."""
        return f"line {self.line}, {column}" if column else f"line {self.line}"

    def _absent(self, column: str, default: T | _Required) -> T:
        if isinstance(default, _Required):
            raise Invalid("required", f"{self.where(column)}: send a value")
        return default

    def __repr__(self) -> str:
        return f"<Row {self.number}>"


def read_number(text: str, decimal: str) -> Decimal | None:
    """None where it is no number, or one that no hospital counts to."""
    if decimal != ".":
        if "." in text:
            return None
        text = text.replace(decimal, ".")
    return Decimal(text) if _NUMBER.fullmatch(text) and text.isascii() else None


def read_date(text: str, pattern: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def _values(raw: bytes, columns: tuple[str, ...], dialect: Dialect) -> dict[str, str]:
    if len(raw) >= dialect.max_row:
        raise Invalid("length", f"send rows of less than {dialect.max_row} bytes")
    return _of_json(raw) if dialect.form == "json" else _of_cells(cells(raw, dialect), columns)


def _of_cells(found: list[str], columns: tuple[str, ...]) -> dict[str, str]:
    if len(found) != len(columns):
        raise Invalid("columns", f"send {len(columns)} columns, as the header has; this row has {len(found)}")
    return {name: text.strip(" ") for name, text in zip(columns, found, strict=True)}


def _of_json(raw: bytes) -> dict[str, str]:
    """By member: text, numbers exactly as they are written, true and false as words; what is nested as JSON."""
    try:
        value: Any = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Invalid("json", "send one JSON object in each line, in UTF-8")
    return {str(name): _text(member) for name, member in value.items()}


def _text(member: object) -> str:
    match member:
        case None:
            return ""
        case str():
            return member.strip(" ")
        case bool():
            return "true" if member else "false"
        case int() | Decimal():
            return str(member)
        case _:
            return json.dumps(member, default=str, ensure_ascii=False)
