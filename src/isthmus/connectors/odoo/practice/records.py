"""Records: create, write, search and read with types, rights and Odoo's own rules; one object for one call of one user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from isthmus.connectors.odoo.practice.catalogue import Field, Fields
from isthmus.connectors.odoo.practice.domain import test_of
from isthmus.connectors.odoo.practice.errors import OdooError, missing, not_allowed, user_error
from isthmus.connectors.odoo.practice.rules import created, guard
from isthmus.connectors.odoo.practice.store import Row, Store


class User(Struct, frozen=True):
    id: int
    login: str
    key: str
    partner: int
    writes: frozenset[str] | None = None
    """Models that may be written; None: all."""


class Records:
    def __init__(self, store: Store, models: Mapping[str, Fields], user: User, context: Mapping[str, Any]) -> None:
        self.store = store
        self.models = models
        self.user = user
        self.context = context
        self.now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")

    def fields(self, model: str) -> Fields:
        fields = self.models.get(model)
        if fields is None:
            raise OdooError("werkzeug.exceptions.NotFound", f"the model {model!r} does not exist")
        return fields

    def field(self, model: str, name: str) -> Field:
        field = self.fields(model).get(name)
        if field is None:
            raise OdooError("builtins.ValueError", f"Invalid field {name!r} on model {model!r}")
        return field

    def allow(self, verb: str, model: str) -> None:
        if self.user.writes is not None and model not in self.user.writes:
            raise not_allowed(verb, model)

    # ---- reading

    def row(self, model: str, record: int) -> Row:
        row = self.store.get(model, record)
        if row is None:
            raise missing(model, record)
        return row

    def search(self, model: str, domain: Sequence[Any]) -> list[int]:
        fields = self.fields(model)
        test = test_of(domain, fields)
        named = any(isinstance(part, (list, tuple)) and part[0] == "active" for part in domain)
        archived = named or not self.context.get("active_test", True) or "active" not in fields
        found: list[int] = []
        for record in self._candidates(model, domain):
            row = self.store.get(model, record)
            if row is not None and (archived or row["active"]) and test(row):
                found.append(record)
        return found

    def _candidates(self, model: str, domain: Sequence[Any]) -> list[int]:
        """Ids that can match at all, by the first condition where that says it."""
        if domain and not isinstance(domain[0], str):
            field, operator, value = domain[0]
            wanted = [value] if operator == "=" else value if operator == "in" else None
            if isinstance(wanted, list) and "|" not in domain and "!" not in domain:
                if field == "id":
                    return sorted(one for one in wanted if isinstance(one, int))
                children = self.store.children(model, field, wanted)
                if children is not None:
                    return children
        return self.store.ids(model)

    def read(self, model: str, ids: Sequence[int], names: Sequence[str]) -> list[Row]:
        """The rows that are there; what is not is left out, as Odoo's ``read`` does."""
        rows: list[Row] = []
        for record in ids:
            row = self.store.get(model, record)
            if row is not None:
                rows.append({"id": record, **{name: self._shown(model, record, row, name) for name in names if name != "id"}})
        return rows

    def _shown(self, model: str, record: int, row: Row, name: str) -> Any:
        field = self.field(model, name)
        if field.type == "one2many":
            return self.store.children(field.relation, field.inverse, [record]) or []
        value = row.get(name, False)
        if field.type == "many2one" and value:
            other = self.store.get(field.relation, value)
            return [value, str(other.get("name") or f"{field.relation},{value}") if other else ""]
        return value

    # ---- writing

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        self.allow("create", model)
        fields = self.fields(model)
        record = self.store.new_id(model)
        row: Row = {"id": record, **{name: _default(field) for name, field in fields.items() if field.type != "one2many"}}
        row |= {"create_date": self.now, "write_date": self.now}
        self.store.put(model, record, self._merged(model, row, values))
        self._lines(model, record, values)
        created(self, model, record, values)
        self._complete(model, record)
        return record

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        self.allow("modify", model)
        for record in ids:
            row = self.row(model, record)
            guard(model, row, values)
            self.store.put(model, record, {**self._merged(model, row, values), "write_date": self.now})
            self._lines(model, record, values)
            self._complete(model, record)

    def unlink(self, model: str, ids: Sequence[int]) -> None:
        self.allow("delete", model)
        for record in ids:
            if self.row(model, record).get("state") in ("posted", "done"):
                raise user_error("You cannot delete this.")
            for name in self.store.xml_ids_of(model, record):
                self.store.put_xml_id(name, None)
            self.store.put(model, record, None)

    def _merged(self, model: str, row: Row, values: Mapping[str, Any]) -> Row:
        merged = dict(row)
        for name, value in values.items():
            field = self.field(model, name)
            if field.type == "many2many":
                merged[name] = _linked(merged.get(name) or [], value)
            elif field.type != "one2many":
                merged[name] = _stored(field, value)
        if "list_price" in merged:
            price = next((values[name] for name in ("list_price", "lst_price") if name in values), merged["list_price"])
            merged |= {"list_price": price, "lst_price": price}
        return merged

    def _lines(self, model: str, record: int, values: Mapping[str, Any]) -> None:
        for name, commands in values.items():
            field = self.field(model, name)
            if field.type != "one2many":
                continue
            for command, line, new in commands or ():
                if command == 0:
                    self.create(field.relation, {**new, field.inverse: record})
                elif command == 1:
                    self.write(field.relation, [line], new)
                elif command in (2, 3):
                    self.unlink(field.relation, [line])
                elif command == 5:  # noqa: PLR2004 - Odoo's numbers of its commands
                    self.unlink(field.relation, self.store.children(field.relation, field.inverse, [record]) or [])

    def _complete(self, model: str, record: int) -> None:
        row = self.row(model, record)
        for name, field in self.fields(model).items():
            if field.required and row.get(name) in (False, None, ""):
                raise OdooError(
                    "odoo.exceptions.ValidationError", f"Missing required value for the field '{name}' ({name}).\nModel: '{model}'"
                )


def _default(field: Field) -> Any:
    return [] if field.type == "many2many" else field.default


def _stored(field: Field, value: Any) -> Any:
    if value is None or (value == "" and field.type != "boolean"):
        return 0.0 if field.type == "float" else 0 if field.type == "integer" else False
    if field.type == "float" and isinstance(value, (int, float)):
        return round(float(value), 2)
    if field.type == "selection" and value is not False and value not in field.choices:
        raise OdooError("builtins.ValueError", f"Wrong value for selection: {value!r}")
    if field.type in ("date", "datetime") and value is not False:
        _parsed(field.type, value)
    return value


def _parsed(type: str, value: str) -> None:
    form = "%Y-%m-%d" if type == "date" else "%Y-%m-%d %H:%M:%S"
    try:
        datetime.strptime(value, form)  # noqa: DTZ007 - only whether it can be read
    except ValueError as error:
        raise OdooError("builtins.ValueError", str(error)) from error


def _linked(before: list[int], commands: Any) -> list[int]:
    links = list(before)
    for command in commands or ():
        match command[0]:
            case 6:
                links = list(command[2])
            case 4:
                links = [*links, *([command[1]] if command[1] not in links else [])]
            case 5:
                links = []
    return links
