"""Loading: ``load`` with what is dear about it (external ids, all or nothing) and what is dangerous (200 on failure, the first row blamed)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isthmus.connectors.odoo.practice.catalogue import Field
from isthmus.connectors.odoo.practice.errors import OdooError
from isthmus.connectors.odoo.practice.records import Records
from isthmus.connectors.odoo.practice.store import Row

Message = dict[str, Any]
_TRUE, _FALSE = ("1", "true", "yes"), ("", "0", "false", "no")


class _Refused(Exception):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def load(records: Records, model: str, fields: Sequence[str], data: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Answers ``ids`` and no messages, or ``ids`` false and the reasons."""
    for column in fields:
        name = column.partition("/")[0]
        if name not in ("id", ".id") and name not in records.fields(model):
            raise OdooError("builtins.ValueError", f"Invalid field name {name!r}")
    spans = _spans(records, model, fields, data)
    messages: list[Message] = []
    converted: list[tuple[str, int, Row]] = []
    for first, last in spans:
        try:
            converted.append(_converted(records, model, fields, data[first : last + 1]))
        except _Refused as refused:
            messages.append({"type": "error", "rows": {"from": first, "to": last}, "field": refused.field, "message": str(refused)})
    ids: list[int] = []
    if not messages:
        try:
            with records.store.savepoint():
                ids = _saved(records, model, converted)
        except OdooError as error:
            messages = _one_by_one(records, model, converted, spans, error)
    return {"ids": False if messages else ids, "messages": messages, "nextrow": 0}


def _one_by_one(
    records: Records, model: str, converted: Sequence[tuple[str, int, Row]], spans: Sequence[tuple[int, int]], error: OdooError
) -> list[Message]:
    """Who did it: each alone, nothing kept. Before them the first row is blamed for what the batch as a whole did."""
    messages = [{"type": "error", "rows": {"from": spans[0][0], "to": spans[0][1]}, "message": error.message}]
    for one, (first, last) in zip(converted, spans, strict=True):
        try:
            with records.store.savepoint() as undo:
                _saved(records, model, [one])
                undo()
        except OdooError as alone:
            messages.append({"type": "error", "rows": {"from": first, "to": last}, "message": alone.message})
    return messages


def _spans(records: Records, model: str, fields: Sequence[str], data: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """First and last row of each record: rows that hold nothing but lines belong to the one before."""
    lines = [records.fields(model).get(column.partition("/")[0], Field("")).type == "one2many" for column in fields]
    spans: list[tuple[int, int]] = []
    for number, row in enumerate(data):
        own = any(cell for cell, line in zip(row, lines, strict=True) if not line)
        if own or not spans:
            spans.append((number, number))
        else:
            spans[-1] = (spans[-1][0], number)
    return spans


def _converted(records: Records, model: str, fields: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, int, Row]:
    """External id, database id and values of one record."""
    xml_id, record, values = "", 0, dict[str, Any]()
    lines: dict[str, list[str]] = {}
    for column, cell in zip(fields, rows[0], strict=True):
        name, _, rest = column.partition("/")
        if column == "id":
            xml_id = cell
        elif column == ".id":
            record = int(cell)
        elif (field := records.field(model, name)).type == "one2many":
            lines.setdefault(name, []).append(column)
        else:
            values[name] = _value(records, name, field, rest, cell)
    for name, columns in lines.items():
        field = records.field(model, name)
        picked = [fields.index(column) for column in columns]
        values[name] = []
        for row in rows:
            cells = [row[index] for index in picked]
            if any(cells):
                inner = [column.partition("/")[2] for column in columns]
                line_xml, _, line = _converted(records, field.relation, inner, [cells])
                known = records.store.xml_id(line_xml) if line_xml else None
                values[name].append((1, known["res_id"], line) if known else (0, line_xml, line))
    return xml_id, record, values


def _value(records: Records, name: str, field: Field, rest: str, cell: str) -> Any:
    if field.type in ("many2one", "many2many"):
        found = [_referred(records, name, field, rest, one) for one in cell.split(",") if one]
        return (found[0] if found else False) if field.type == "many2one" else [[6, 0, found]] if found else []
    if field.type == "boolean":
        if cell.lower() not in (*_TRUE, *_FALSE):
            raise _Refused(name, f"Unknown value '{cell}' for boolean field '{name}'")
        return cell.lower() in _TRUE
    if not cell:
        return False if field.type not in ("float", "integer") else 0
    if field.type == "selection" and cell not in field.choices:
        raise _Refused(name, f"Value '{cell}' not found in selection field '{name}'")
    convert: Callable[[str], Any] | None = {"integer": int, "float": float}.get(field.type)
    if convert is None:
        return cell
    try:
        return convert(cell)
    except ValueError:
        kind = "an integer" if field.type == "integer" else "a number"
        raise _Refused(name, f"'{cell}' does not seem to be {kind} for field '{name}'") from None


def _referred(records: Records, name: str, field: Field, rest: str, cell: str) -> int:
    if rest == "id":
        known = records.store.xml_id(cell)
        if known is None or records.store.get(field.relation, known["res_id"]) is None:
            raise _Refused(name, f"No matching record found for external id '{cell}' in field '{name}'")
        return int(known["res_id"])
    if rest == ".id" and cell.isdecimal() and records.store.get(field.relation, int(cell)) is not None:
        return int(cell)
    raise _Refused(name, f"No matching record found for {'database id' if rest else 'name'} '{cell}' in field '{name}'")


def _saved(records: Records, model: str, converted: Sequence[tuple[str, int, Row]]) -> list[int]:
    """Create or update; an external id that comes twice in one call makes two records, as in the real one."""
    update, noupdate = records.context.get("mode") == "update", bool(records.context.get("noupdate"))
    known = {xml_id: records.store.xml_id(xml_id) for xml_id, _, _ in converted if xml_id}
    ids: list[int] = []
    for xml_id, record, values in converted:
        entry = known.get(xml_id)
        if entry is not None and entry["model"] != model:
            raise OdooError(
                "odoo.exceptions.ValidationError",
                f"For external id {xml_id} when trying to create/update a record of model {model} found record of different model {entry['model']}",
            )
        target = record or (int(entry["res_id"]) if entry is not None and records.store.get(model, entry["res_id"]) is not None else 0)
        if not target:
            target = records.create(model, _without_ids(values))
            records.store.put_xml_id(xml_id, {"model": model, "res_id": target, "noupdate": noupdate})
            _name_lines(records, model, target, values)
        elif record or not (update and entry is not None and entry["noupdate"]):
            records.write(model, [target], _without_ids(values))
            _name_lines(records, model, target, values)
        ids.append(target)
    return ids


def _without_ids(values: Row) -> Row:
    """New lines carry their external id in the place of a database id."""
    return {
        name: [(command, 0 if command == 0 else line, new) for command, line, new in value] if _is_lines(value) else value
        for name, value in values.items()
    }


def _name_lines(records: Records, model: str, record: int, values: Row) -> None:
    for name, value in values.items():
        if _is_lines(value):
            field = records.field(model, name)
            children = records.store.children(field.relation, field.inverse, [record]) or []
            new = [xml_id for command, xml_id, _ in value if command == 0]
            for xml_id, child in zip(reversed(new), reversed(children), strict=False):
                if xml_id:
                    records.store.put_xml_id(xml_id, {"model": field.relation, "res_id": child, "noupdate": False})


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], tuple)
