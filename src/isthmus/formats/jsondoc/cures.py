"""Cures: what a struct's type wants, in words for the people at the sender. Never a value of the document."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

_PLAIN: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.DateType: "a date such as 2026-03-01",
    inspect.DecimalType: "a number",
}


def described(wanted: Any) -> str:
    """``a whole number above 0``, ``a time with its zone, such as …``."""
    return _told(inspect.type_info(wanted))


def _told(info: inspect.Type) -> str:
    match info:
        case inspect.StrType(min_length=least):
            told = "text that is not empty" if least else "text"
        case inspect.IntType(gt=above, ge=least):
            told = "a whole number" + _bounds(above, least)
        case inspect.FloatType(gt=above, ge=least):
            told = "a number" + _bounds(above, least)
        case inspect.DateTimeType(tz=zoned):
            told = "a time with its zone, such as 2026-03-01T08:30:00+01:00" if zoned else "a time such as 2026-03-01T08:30:00"
        case inspect.LiteralType(values=values):
            told = "one of " + ", ".join(str(value) for value in values)
        case inspect.StructType(fields=fields):
            told = "an object with " + ", ".join(field.encode_name for field in fields if field.required)
        case _:
            told = _composed(info)
    return told


def _composed(info: inspect.Type) -> str:
    match info:
        case inspect.ListType(min_length=least, item_type=item) | inspect.VarTupleType(min_length=least, item_type=item):
            return ("a list with at least one entry, each " if least else "a list, each entry ") + _told(item)
        case inspect.UnionType(types=some):
            left_out: tuple[type[inspect.Type], ...] = (inspect.NoneType,)
            if any(isinstance(one, inspect.FloatType) for one in some):
                left_out += (inspect.IntType,)  # a whole number is a number
            return " or ".join(_told(one) for one in some if not isinstance(one, left_out))
        case inspect.Metadata(type=inner):
            return _told(inner)
        case _:
            return _PLAIN.get(type(info), "what the interface's README shows here")


def _bounds(above: float | None, least: float | None) -> str:
    if above is not None:
        return f" above {above:g}"
    return f" of at least {least:g}" if least is not None else ""
