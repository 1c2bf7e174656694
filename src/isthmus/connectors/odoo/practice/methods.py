"""Methods: what may be called on which model, with the arguments' names of the real one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.connectors.odoo.practice import documents
from isthmus.connectors.odoo.practice.errors import OdooError
from isthmus.connectors.odoo.practice.loading import load
from isthmus.connectors.odoo.practice.records import Records
from isthmus.connectors.odoo.practice.store import Row

Method = Callable[..., Any]


def _fields_get(records: Records, model: str, allfields: Sequence[str] = (), attributes: Sequence[str] = ()) -> Any:
    shown: dict[str, Any] = {}
    for name, field in records.fields(model).items():
        if not allfields or name in allfields:
            whole = {"type": field.type, "required": field.required, "string": name}
            whole |= {"relation": field.relation} if field.relation else {}
            whole |= {"selection": [[one, one] for one in field.choices]} if field.choices else {}
            shown[name] = {key: value for key, value in whole.items() if not attributes or key in attributes}
    return shown


def _search(
    records: Records, model: str, domain: Sequence[Any], *, offset: int = 0, limit: int | None = None, order: str = ""
) -> list[int]:
    found = records.search(model, domain)
    if order.partition(",")[0].strip().endswith(" desc"):
        found.reverse()
    return found[offset : None if limit is None else offset + limit]


def _search_read(records: Records, model: str, domain: Sequence[Any] = (), fields: Sequence[str] = (), **page: Any) -> list[Row]:
    return records.read(model, _search(records, model, domain, **page), list(fields) or list(records.fields(model)))


def _search_count(records: Records, model: str, domain: Sequence[Any]) -> int:
    return len(records.search(model, domain))


def _create(records: Records, model: str, vals_list: Sequence[Mapping[str, Any]]) -> list[int]:
    return [records.create(model, values) for values in vals_list]


def _reference(records: Records, _model: str, module: str, xml_id: str) -> Any:
    name = f"{module}.{xml_id}"
    entry = records.store.xml_id(name)
    if entry is None or records.store.get(entry["model"], entry["res_id"]) is None:
        raise OdooError("builtins.ValueError", f"External ID not found in the system: {name}")
    seen = records.search(entry["model"], [["id", "=", entry["res_id"]]])
    return [entry["model"], entry["res_id"] if seen else False]


def _context_get(records: Records, _model: str) -> Any:
    return {"lang": "en_US", "tz": False, "uid": records.user.id}


_OF_MODELS: dict[str, Method] = {
    "fields_get": _fields_get,
    "search": _search,
    "search_read": _search_read,
    "search_count": _search_count,
    "create": _create,
    "load": load,
}
_OF_ONE_MODEL: dict[tuple[str, str], Method] = {
    ("ir.model.data", "check_object_reference"): _reference,
    ("res.users", "context_get"): _context_get,
}
_OF_RECORDS: dict[tuple[str, str], Method] = {
    ("account.move", "action_post"): documents.action_post,
    ("account.move", "button_cancel"): documents.button_cancel,
    ("account.move", "button_draft"): documents.button_draft,
    ("stock.picking", "action_confirm"): documents.action_confirm,
    ("stock.picking", "action_assign"): documents.action_assign,
    ("stock.picking", "action_cancel"): documents.action_cancel,
    ("stock.picking", "button_validate"): documents.button_validate,
}


def call(records: Records, model: str, method: str, ids: Sequence[int], named: Mapping[str, Any]) -> Any:
    """The method's result; ``named`` fits its signature or it is refused."""
    if model != "ir.model.data":
        records.fields(model)
    function, first = _found(model, method, ids)
    arguments = (records, model) if first is None else (records, *first)
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError as error:
        raise OdooError("werkzeug.exceptions.UnprocessableEntity", str(error)) from None
    return function(*arguments, **named)


def _found(model: str, method: str, ids: Sequence[int]) -> tuple[Method, tuple[Any, ...] | None]:
    if one := _OF_ONE_MODEL.get((model, method)):
        return one, None
    if document := _OF_RECORDS.get((model, method)):
        return document, (ids,)
    if method in _OF_MODELS:
        return _OF_MODELS[method], None
    match method:
        case "read":
            return lambda records, fields=(): records.read(model, ids, list(fields) or list(records.fields(model))), ()
        case "write":
            return lambda records, vals: bool(records.write(model, ids, vals) or True), ()
        case "unlink":
            return lambda records: bool(records.unlink(model, ids) or True), ()
    raise OdooError("werkzeug.exceptions.NotFound", f"The method '{model}.{method}' does not exist")
