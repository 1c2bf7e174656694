"""Records: upserts. What is absent is made, what differs is written, what is the same is left alone; then it is read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

import msgspec

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import adapt, is_empty_set, matrix
from isthmus.connectors.odoo.compare import differences
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.loading import Loadable, load
from isthmus.connectors.odoo.operations import Appointment, Task, Upsert, links_in
from isthmus.connectors.odoo.references import References, sure
from isthmus.connectors.odoo.schema import Fields, Schema
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.values import Line, Plain
from isthmus.connectors.odoo.work import Work, fail_all
from isthmus.core.ids import derive_id

Record: TypeAlias = Upsert | Task | Appointment
_REMEMBERED = 100_000
_STATES = {"open": "01_in_progress", "done": "1_done", "cancelled": "1_canceled"}


class _Item:
    """A record's values as this Odoo takes them."""

    __slots__ = ("fields", "loaded", "values", "work")

    def __init__(self, work: Work[Record], values: dict[str, Plain], fields: Fields) -> None:
        self.loaded = False
        self.work = work
        self.values = values
        self.fields = fields

    def row(self, names: AbstractSet[str] | None = None) -> Loadable[_Item]:
        """For ``load``: all values, or those of these names."""
        values = self.values if names is None else {name: value for name, value in self.values.items() if name in names}
        columns, rows = matrix(self.work.xml_id, values, self.fields, self.work.links)
        return Loadable(self, self.work.operation.model, columns, rows)

    @property
    def has_lines(self) -> bool:
        """Its lines are not read back, so they are written each time."""
        return any(isinstance(one, Line) for value in self.values.values() if isinstance(value, tuple) for one in value)

    def seen_as(self, actual: dict[str, Any]) -> tuple[str, str]:
        """What was sent, and how Odoo shows it."""
        shown = msgspec.json.encode([actual.get(name) for name in self.values])
        return self.work.digest, derive_id("shown", shown)

    def differs(self, actual: dict[str, Any]) -> frozenset[str]:
        return differences(self.values, actual, self.fields, self.work.links)


class Records:
    def __init__(self, session: Session, schema: Schema, references: References, batches: Batches) -> None:
        self._session = session
        self._schema = schema
        self._references = references
        self._batches = batches
        self._confirmed: dict[tuple[str, str], tuple[str, str]] = {}

    async def settle(self, model: str, works: Sequence[Work[Record]], deadline: Deadline) -> None:
        """Give each an outcome. All are of one model, no two of one key."""
        items = await self._prepare(model, works, deadline, make=True)
        before = await self._present(model, items, deadline)
        await self._write(model, [(item, before[item]) for item in items if item in before], deadline)

    async def check(self, work: Work[Record], deadline: Deadline) -> None:
        """Settle it if the record holds everything; nothing is written."""
        model = work.operation.model
        work.id = self._references.known(model, work.xml_id) or await self._references.find(model, work.xml_id, deadline)
        if work.id:
            for item in await self._prepare(model, [work], deadline, make=False):
                actual = (await self._read(model, [item], deadline)).get(item)
                if actual is not None and not item.differs(actual):
                    self._settle(item, actual, unchanged=False)

    async def _prepare(self, model: str, works: Sequence[Work[Record]], deadline: Deadline, *, make: bool) -> list[_Item]:
        wanted = frozenset(name for work in works for name in work.operation.values)
        fields = await self._schema.fields(model, deadline, wanted=wanted)
        found = await self._references.resolve((link for work in works for link in links_in(work.operation.values)), deadline, make=make)
        items: list[_Item] = []
        for work in works:
            try:
                values = adapt(model, _values(work.operation, fields), fields)
                work.links = sure(found, links_in(values))
            except Fault as fault:
                work.fail(fault)
            else:
                items.append(_Item(work, values, fields))
        return items

    async def _present(self, model: str, items: Sequence[_Item], deadline: Deadline) -> dict[_Item, dict[str, Any]]:
        """Make what is absent, then read all. What was remembered and is gone (deleted by somebody) is made again."""
        for item in items:
            item.work.id = self._references.known(model, item.work.xml_id)
        await self._make([item for item in items if not item.work.id], deadline)
        read = await self._read(model, items, deadline)
        if gone := [item for item in items if item.work.outcome is None and item not in read]:
            for item in gone:
                self._references.forget(model, item.work.xml_id)
            await self._make(gone, deadline)
            read |= await self._read(model, gone, deadline)
            for item in gone:
                if item.work.outcome is None and item not in read:
                    item.work.fail(Fault("retry", "no-effect", f"{model}/load: Odoo answered with an id, but there is no record"))
        return read

    async def _make(self, items: Sequence[_Item], deadline: Deadline) -> None:
        rows = [item.row() for item in items]
        failed = await load(self._session, self._batches, rows, deadline, once=True, done=self._loaded)
        fail_all((row.item.work, fault) for row, fault in failed)

    def _loaded(self, row: Loadable[_Item], id: int) -> None:
        row.item.work.id = id
        row.item.loaded = True
        self._references.remember(row.model, row.item.work.xml_id, id)

    async def _read(self, model: str, items: Iterable[_Item], deadline: Deadline, *, written: bool = False) -> dict[_Item, dict[str, Any]]:
        """What Odoo holds now, of those that are there."""
        waiting = [item for item in items if item.work.outcome is None and item.work.id]
        found: dict[_Item, dict[str, Any]] = {}

        async def read(batch: Sequence[_Item]) -> None:  # by search: ``read`` of a deleted id is an error in some versions
            names = list(dict.fromkeys(("write_date", *(name for item in batch for name in item.values))))
            domain = [["id", "in", [item.work.id for item in batch]]]
            answer = await self._session.read(model, "search_read", deadline, None, {"active_test": False}, domain=domain, fields=names)
            rows = {row["id"]: row for row in answer}
            found.update((item, rows[item.work.id]) for item in batch if item.work.id in rows)

        for item, fault in await self._batches.run(waiting, read):
            item.work.fail(fault, written=written or item.loaded)
        return found

    async def _write(self, model: str, pairs: Sequence[tuple[_Item, dict[str, Any]]], deadline: Deadline) -> None:
        changed: dict[_Item, tuple[dict[str, Any], frozenset[str]]] = {}
        for item, actual in pairs:
            differing = item.differs(actual)
            if differing and (item.has_lines or self._confirmed.get((model, item.work.xml_id)) != item.seen_as(actual)):
                changed[item] = actual, differing
            else:
                self._settle(item, actual, unchanged=not item.loaded)
        await self._update({item: differing - _empty_sets(item) for item, (_, differing) in changed.items()}, deadline)
        for item, (_, differing) in changed.items():
            await self._clear(item, _empty_sets(item) & differing, deadline)
        after = await self._read(model, changed, deadline, written=True)
        for item, (before, differing) in changed.items():
            if item.work.outcome is None:
                actual = after.get(item, {})
                if not actual or (not item.loaded and not item.has_lines and actual == before and item.differs(actual) == differing):
                    item.work.fail(Fault("retry", "no-effect", f"{model}/load: Odoo said yes, but the record is as it was"))
                else:
                    self._settle(item, actual, unchanged=False)

    def _settle(self, item: _Item, actual: dict[str, Any], *, unchanged: bool) -> None:
        """Odoo may hold a value in a form of its own (a trimmed text, a rounded amount): remember how ours looks there."""
        work = item.work
        if len(self._confirmed) >= _REMEMBERED:
            del self._confirmed[next(iter(self._confirmed))]
        self._confirmed[work.operation.model, work.xml_id] = item.seen_as(actual)
        work.deliver("written", unchanged=unchanged)

    async def _update(self, differing: Mapping[_Item, frozenset[str]], deadline: Deadline) -> None:
        """Write what differs in any of them: fewer fields are less work for Odoo, and the same fields in all are one call."""
        names = frozenset().union(*differing.values())
        rows = [item.row(names) for item, its in differing.items() if its]
        failed = await load(self._session, self._batches, rows, deadline, once=False, done=self._loaded_again)
        fail_all((row.item.work, fault) for row, fault in failed)

    def _loaded_again(self, row: Loadable[_Item], id: int) -> None:
        row.item.work.id = id

    async def _clear(self, item: _Item, names: frozenset[str], deadline: Deadline) -> None:
        """Empty many2many fields, which ``load`` cannot."""
        if names and item.work.outcome is None:
            values = {name: [[6, 0, []]] for name in sorted(names)}
            try:
                await self._session.write(item.work.operation.model, "write", deadline, [item.work.id], vals=values)
            except Fault as fault:
                item.work.fail(fault)


def _empty_sets(item: _Item) -> frozenset[str]:
    return frozenset(name for name, value in item.values.items() if is_empty_set(value))


def _values(record: Record, fields: Fields) -> dict[str, Plain]:
    """The record's values, with the state of a task as this version writes it (none before Odoo 17: there the stage says it)."""
    if not isinstance(record, Task) or record.state is None:
        return record.values
    if "state" in fields:
        return {**record.values, "state": _STATES[record.state]}
    return {**record.values, "kanban_state": "done" if record.state == "done" else "normal", "active": record.state != "cancelled"}
