"""Columns: values as the matrix of texts that Odoo's ``load`` takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.schema import Fields
from isthmus.connectors.odoo.values import By, Line, Plain, Ref, Xml

Ids = Mapping[Ref | Xml | By, int]
"""The database ids of all links that a set of values names."""

_DAY = len("YYYY-MM-DD")
_MIDNIGHT = " 00:00:00"


def adapt(model: str, values: Mapping[str, Plain], fields: Fields) -> dict[str, Plain]:
    """Values as this version of Odoo names and types them; raises ``Fault`` for a field that it does not have.

    ``is_storable`` came with 18 (before: ``type = product``), ``group_ids`` with 19 (``groups_id``); a deadline is a date or a time.
    """
    adapted = dict(values)
    if "is_storable" not in fields and adapted.pop("is_storable", False):
        adapted["type"] = "product"
    if "group_ids" in adapted and "group_ids" not in fields and "groups_id" in fields:
        adapted["groups_id"] = adapted.pop("group_ids")
    for name, value in adapted.items():
        field = fields.get(name)
        if field is None:
            raise Fault("reject", "unknown-field", f"{model}.{name}: this Odoo has no such field, or the service user may not see it")
        if isinstance(value, str) and field.type == "date":
            adapted[name] = value[:_DAY]
        elif isinstance(value, str) and field.type == "datetime" and len(value) == _DAY:
            adapted[name] = value + _MIDNIGHT
    return adapted


def matrix(xml_id: str, values: Mapping[str, Plain], fields: Fields, ids: Ids) -> tuple[tuple[str, ...], list[list[str]]]:
    """Column names and rows of one record: its own row, and one more for each line after the first."""
    rows: list[dict[str, str]] = [{"id": xml_id}]
    for name, value in values.items():
        if isinstance(value, tuple) and any(isinstance(one, Line) for one in value):
            lines = [one for one in value if isinstance(one, Line)]
            for index, line in enumerate(lines):
                if index == len(rows):
                    rows.append({})
                rows[index][f"{name}/id"] = line.xml_id
                rows[index].update(_cell(f"{name}/{column}", one, "", ids) for column, one in line.values.items())
        elif not is_empty_set(value):
            column, cell = _cell(name, value, fields[name].type, ids)
            rows[0][column] = cell
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return columns, [[row.get(column, "") for column in columns] for row in rows]


def is_empty_set(value: Plain) -> bool:
    """An empty many2many cannot be loaded (Odoo 19 stumbles over it): it is written apart."""
    return isinstance(value, tuple) and not value


def _cell(column: str, value: Plain, type: str, ids: Ids) -> tuple[str, str]:
    if isinstance(value, (Ref, Xml, By)):
        return f"{column}/.id", str(ids[value])
    if isinstance(value, tuple):
        return f"{column}/.id", ",".join(str(ids[one]) for one in value if not isinstance(one, Line))
    return (f"{column}/.id" if type in ("many2one", "many2many") else column), text(value)


def text(value: bool | float | str | None) -> str:
    """A plain value as ``load`` reads it; empty means null, also for numbers, so zero is written out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, str) else repr(value)
