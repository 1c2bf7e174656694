"""Domain: Odoo's search conditions in prefix form, as far as the connector uses them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isthmus.connectors.odoo.practice.catalogue import Fields
from isthmus.connectors.odoo.practice.errors import OdooError
from isthmus.connectors.odoo.practice.store import Row

Test = Callable[[Row], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other or (one in (False, None) and other in (False, None)),
    "!=": lambda one, other: one != other and not (one in (False, None) and other in (False, None)),
    "in": lambda one, other: one in other if one is not False else False in other,
    "not in": lambda one, other: one not in other,
    ">": lambda one, other: one is not False and one > other,
    ">=": lambda one, other: one is not False and one >= other,
    "<": lambda one, other: one is not False and one < other,
    "<=": lambda one, other: one is not False and one <= other,
    "=like": lambda one, other: isinstance(one, str) and one.startswith(other.rstrip("%")),
    "ilike": lambda one, other: isinstance(one, str) and other.lower() in one.lower(),
}


def test_of(domain: Sequence[Any], fields: Fields) -> Test:
    """The condition as a function of a row; raises the error that Odoo raises for one that it does not understand."""
    stack: list[Test] = []
    for part in reversed(list(domain)):
        if part in ("&", "|"):
            one, other = stack.pop(), stack.pop()
            stack.append(_both(one, other) if part == "&" else _either(one, other))
        elif part == "!":
            stack.append(_not(stack.pop()))
        else:
            stack.append(_leaf(part, fields))
    return lambda row: all(test(row) for test in stack)


def _leaf(leaf: Sequence[Any], fields: Fields) -> Test:
    field, operator, value = leaf
    if field != "id" and field not in fields:
        raise OdooError("builtins.ValueError", f"Invalid field {field!r} in condition {tuple(leaf)!r}")
    compare = _COMPARE.get(operator)
    if compare is None:
        raise OdooError("builtins.ValueError", f"Invalid operator {operator!r} in condition")
    if field != "id" and fields[field].type in ("many2many", "one2many"):
        return lambda row: any(compare(one, value) for one in row.get(field) or ())
    return lambda row: compare(row.get(field, False), value)


def _both(one: Test, other: Test) -> Test:
    return lambda row: one(row) and other(row)


def _either(one: Test, other: Test) -> Test:
    return lambda row: one(row) or other(row)


def _not(one: Test) -> Test:
    return lambda row: not one(row)
