"""Writing: Python values as segments of HL7 v2."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from isthmus.core.failure import Bug
from isthmus.formats.hl7v2.charset import Charset
from isthmus.formats.hl7v2.delimiters import STANDARD
from isthmus.formats.hl7v2.encoding import Encoding

Atom: TypeAlias = str | bytes | int | Decimal | dt.date | None
Value: TypeAlias = Atom | tuple[Atom | tuple[Atom, ...], ...] | list[Atom | tuple[Atom | tuple[Atom, ...], ...]]
"""Text, number, date or time; a tuple of components; a list of repetitions; bytes as they are; None for nothing."""
Draft: TypeAlias = tuple[str, Mapping[int, Value]]
"""A segment to be: its name and its fields by number."""

UTF8 = Encoding(STANDARD, Charset("utf-8", "utf-8"))


def timestamp(at: dt.date) -> str:
    """As DTM: ``YYYYMMDD`` for a day, ``YYYYMMDDHHMMSS+ZZZZ`` for a point in time."""
    return f"{at.year:04d}" + at.strftime("%m%d%H%M%S%z" if isinstance(at, dt.datetime) else "%m%d")


def write_atom(value: Atom, encoding: Encoding) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return encoding.write(value)
    return (timestamp(value) if isinstance(value, dt.date) else f"{value:f}" if isinstance(value, Decimal) else str(value)).encode()


def write_value(value: Value, encoding: Encoding) -> bytes:
    """A whole field."""
    if isinstance(value, list):
        return _joined([write_value(one, encoding) for one in value], encoding.repetition)
    if not isinstance(value, tuple):
        return write_atom(value, encoding)
    return _joined([write_component(one, encoding) for one in value], encoding.component)


def write_component(value: Atom | tuple[Atom, ...], encoding: Encoding) -> bytes:
    if isinstance(value, tuple):
        return _joined([write_atom(one, encoding) for one in value], encoding.subcomponent)
    return write_atom(value, encoding)


def write_segment(name: str, fields: Mapping[int, Value], encoding: Encoding = UTF8) -> bytes:
    """A segment without its terminator."""
    last = max(fields, default=0)
    return encoding.field.join([name.encode(), *(write_value(fields.get(number), encoding) for number in range(1, last + 1))])


def write_header(kind: str, fields: Mapping[int, Value]) -> bytes:
    """MSH of a new message, in UTF-8, for these fields by number."""
    known: dict[int, Value] = {9: tuple(kind.split("^")), 11: "P", 18: "UNICODE UTF-8", **fields}
    line = write_segment("MSH", {number - 1: value for number, value in known.items() if number > 2})  # noqa: PLR2004 - MSH-1 separates, MSH-2 follows
    return b"MSH|^~\\&|" + line[5:]


def _joined(parts: list[bytes], delimiter: bytes) -> bytes:
    if len(parts) > 1 and not delimiter:
        raise Bug("delimiters", "this message declares no delimiter for that; leave repetitions and components away")
    return delimiter.join(parts)
