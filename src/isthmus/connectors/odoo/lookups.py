"""Lookups: questions of interfaces, answered narrowly."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.references import References
from isthmus.connectors.odoo.schema import Schema
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.values import external_id
from isthmus.connectors.odoo.words import Found, Product
from isthmus.core.lookup import Lookup


class Lookups:
    def __init__(self, session: Session, schema: Schema, references: References) -> None:
        self._session = session
        self._schema = schema
        self._references = references

    async def answer(self, lookup: Lookup[Any], deadline: Deadline) -> object:
        """The answer; raises ``Fault``."""
        match lookup.name, lookup.args:
            case "product by code", (code,):
                return await self._product(code, deadline)
            case "record by key", (model, key):
                record = await self._references.find(model, external_id(key), deadline)
                return Found(count=1 if record else 0, id=record)
            case "record by field", (model, field, value):
                rows = await self._session.read(
                    model, "search_read", deadline, None, domain=[[field, "=", value]], fields=["id"], limit=1000
                )
                return Found(count=len(rows), id=rows[0]["id"] if len(rows) == 1 else 0)
            case _:
                raise Fault("reject", "unknown-lookup", "the words of the Odoo connector know no such lookup")

    async def _product(self, code: str, deadline: Deadline) -> Product:
        fields = await self._schema.fields("product.product", deadline)
        storable = "is_storable" if "is_storable" in fields else "type"
        rows = await self._session.read(
            "product.product",
            "search_read",
            deadline,
            None,
            domain=[["default_code", "=", code]],
            fields=["name", "lst_price", storable],
            limit=2,
        )
        if not rows:
            return Product(found=False)
        if len(rows) > 1:
            raise Fault("reject", "product-ambiguous", "product.product.default_code: two products have this code; leave it to one of them")
        row = rows[0]
        return Product(found=True, id=row["id"], name=row["name"], price=row["lst_price"], storable=row[storable] in (True, "product"))
