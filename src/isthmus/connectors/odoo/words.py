"""Words: what an interface may say to Odoo. Pure: each word is data that the client carries out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date as Date  # noqa: N812 - ``date`` is the field's word
from datetime import datetime
from html import escape
from typing import Literal

from msgspec import Struct

from isthmus.connectors.odoo.operations import (
    Appointment,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    Move,
    Movement,
    MovementKind,
    Operation,
    Task,
    TaskState,
    Upsert,
    Withdraw,
    encode,
)
from isthmus.connectors.odoo.values import Link, Value, external_id, plain
from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug
from isthmus.core.lookup import Lookup


class Product(Struct, frozen=True, kw_only=True):
    """What a product lookup says; ``found`` is false where Odoo has no product with that code."""

    found: bool
    id: int = 0
    name: str = ""
    price: float = 0.0
    """List price in the company's currency."""
    storable: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """How many records match, and the id where it is exactly one."""

    count: int
    id: int = 0


class Odoo(Endpoint):
    """An Odoo database as an endpoint: ``odoo = Odoo("odoo", owner="finance-it")``.

    Every ``key`` is a business key (charge id, order number) and names one record of one model for ever; all keys of an endpoint
    share one room, so give them a prefix of their kind: ``charge-4711``. Whoever reads a record in Odoo may read its key.
    """

    kind = "odoo"

    def upsert(self, model: str, key: str, values: Mapping[str, Value], *, ordering_key: str = "") -> Delivery:
        """The record under ``key`` shall hold these values; it is created when absent."""
        return self._deliver(f"upsert {model}", Upsert(model=model, key=key, values=plain(values)), model, ordering_key)

    def invoice(
        self,
        key: str,
        *,
        payer: Link,
        reference: str,
        date: Date,
        lines: Iterable[InvoiceLine],
        kind: InvoiceKind = "out_invoice",
        ordering_key: str = "",
    ) -> Delivery:
        """A posted customer invoice (``out_refund``: credit note). Sent again with other contents once posted, it is rejected."""
        body = Invoice(key=key, payer=payer, reference=reference, date=_day(date), lines=tuple(lines), kind=kind)
        if not body.lines:
            raise Bug("no-lines", "an invoice needs at least one line")
        return self._deliver("invoice" if kind == "out_invoice" else "credit note", body, Invoice.model, ordering_key)

    def movement(
        self,
        key: str,
        *,
        moves: Iterable[Move],
        kind: MovementKind = "consume",
        origin: str = "",
        source: Link | None = None,
        destination: Link | None = None,
        ordering_key: str = "",
    ) -> Delivery:
        """Stock that was consumed, given back or received: a movement that is done, also where the books show too little stock."""
        body = Movement(key=key, kind=kind, moves=tuple(moves), origin=origin or key, source=source, destination=destination)
        if not body.moves or any(one.quantity <= 0 for one in body.moves):
            raise Bug("no-moves", "a movement needs moves, each with a quantity above zero; what comes back is kind='return'")
        return self._deliver(f"movement {kind}", body, Movement.model, ordering_key)

    def task(
        self,
        key: str,
        *,
        project: Link,
        name: str,
        description: str = "",
        state: TaskState | None = None,
        stage: Link | None = None,
        deadline: Date | datetime | None = None,
        more: Mapping[str, Value] | None = None,
        ordering_key: str = "",
    ) -> Delivery:
        """A task in a project. What is not given stays as people left it."""
        values: dict[str, Value] = {"project_id": project, "name": name}
        if description:
            values["description"] = "<p>" + escape(description).replace("\n", "<br>") + "</p>"
        if stage is not None:
            values["stage_id"] = stage
        if deadline is not None:
            values["date_deadline"] = deadline
        body = Task(key=key, values=plain({**values, **(more or {})}), state=state)
        return self._deliver("task", body, Task.model, ordering_key)

    def appointment(
        self,
        key: str,
        *,
        name: str,
        start: datetime,
        stop: datetime,
        partners: Sequence[Link] = (),
        privacy: Literal["private", "confidential", "public"] = "private",
        more: Mapping[str, Value] | None = None,
        ordering_key: str = "",
    ) -> Delivery:
        """A calendar entry; nobody gets a mail. Sent again it is moved, or brought back after a ``withdraw``."""
        if stop < start:
            raise Bug("ends-first", "an appointment ends before it starts")
        values: dict[str, Value] = {
            "name": name,
            "start": start,
            "stop": stop,
            "partner_ids": tuple(partners),
            "privacy": privacy,
            "active": True,
        }
        return self._deliver("appointment", Appointment(key=key, values=plain({**values, **(more or {})})), Appointment.model, ordering_key)

    def withdraw(self, model: str, key: str, *, ordering_key: str = "") -> Delivery:
        """Cancel or archive what is under ``key``. What is posted or done is rejected: it takes a credit note or a return."""
        return self._deliver(f"withdraw {model}", Withdraw(model=model, key=key), model, ordering_key)

    def product(self, code: str, *, max_age: float = 60.0) -> Lookup[Product]:
        """The product with this internal reference (``default_code``)."""
        return Lookup(endpoint=self.name, name="product by code", answer=Product, args=(code,), max_age=max_age)

    def exists(self, model: str, key: str) -> Lookup[Found]:
        """Is there a record under our key?"""
        return Lookup(endpoint=self.name, name="record by key", answer=Found, args=(model, key))

    def find(self, model: str, field: str, value: str, *, max_age: float = 0.0) -> Lookup[Found]:
        """How many records of a model have this value in a field?"""
        return Lookup(endpoint=self.name, name="record by field", answer=Found, args=(model, field, value), max_age=max_age)

    def _deliver(self, operation: str, body: Operation, model: str, ordering_key: str) -> Delivery:
        external_id(body.key)  # raises where the key is empty
        return Delivery(
            endpoint=self.name, operation=operation, key=body.key, body=encode(body), ordering_key=ordering_key or f"{model}/{body.key}"
        )


def _day(value: Date) -> str:
    if isinstance(value, datetime):
        raise Bug("date-wanted", "an invoice has a date: say which day it is where the hospital stands (moment.astimezone(zone).date())")
    return value.isoformat()
