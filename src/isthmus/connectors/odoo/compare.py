"""Compare: does a record that was read back hold what it should? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from types import NoneType
from typing import Any

from isthmus.connectors.odoo.columns import Ids
from isthmus.connectors.odoo.schema import Fields
from isthmus.connectors.odoo.values import By, Line, Plain, Ref, Xml

_CENT = 0.006


def differences(wanted: Mapping[str, Plain], actual: Mapping[str, Any], fields: Fields, ids: Ids) -> frozenset[str]:
    """The fields that hold something else. A one2many always counts as different: its lines are not read back."""
    return frozenset(name for name, value in wanted.items() if not _same(value, actual.get(name), fields[name].type, ids))


def _same(wanted: Plain, actual: Any, type: str, ids: Ids) -> bool:  # noqa: PLR0911 - one return for each kind of field
    if isinstance(wanted, (Ref, Xml, By)):
        return identity(actual) == ids[wanted]
    if isinstance(wanted, tuple):
        if any(isinstance(one, Line) for one in wanted) or not isinstance(actual, list):
            return False
        return set(actual) == {ids[one] for one in wanted if not isinstance(one, Line)}
    if type == "many2one":
        return identity(actual) == (wanted or 0)
    if type == "boolean":
        return bool(actual) is bool(wanted)
    if type in ("integer", "float", "monetary"):
        return isinstance(actual, (int, float)) and isinstance(wanted, (int, float, NoneType)) and amount(actual, wanted or 0)
    return (actual or "") == ("" if wanted is None else wanted)


def identity(actual: Any) -> int:
    """The id in a many2one as it is read: ``[7, "Gloves"]``, or false."""
    return int(actual[0]) if isinstance(actual, list) and actual else 0


def rounded(one: float, other: float) -> bool:
    """Are they the same once Odoo has rounded them to its usual two digits?"""
    return abs(one - other) < _CENT


def amount(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)
