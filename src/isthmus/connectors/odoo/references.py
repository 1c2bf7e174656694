"""References: which record of this Odoo each link names. What is ours and absent is made; the rest must be there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import adapt, matrix
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.loading import Loadable, load
from isthmus.connectors.odoo.operations import links_in
from isthmus.connectors.odoo.schema import Schema
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.values import By, Link, Ref, Xml
from isthmus.core.policy import Lane

_REMEMBERED = 100_000
_NONE_OR_MANY = frozenset({"reference-absent", "reference-ambiguous"})
Found = dict[Link, int | Fault]


class References:
    """Remembers what it found; ``forget`` when Odoo says that a record is gone (deleted, or merged into another)."""

    def __init__(self, session: Session, schema: Schema, batches: Batches) -> None:
        self._session = session
        self._schema = schema
        self._batches = batches
        self._ids: dict[tuple[str, str], int] = {}
        self._making: dict[Lane, asyncio.Lock] = defaultdict(asyncio.Lock)

    def known(self, model: str, xml_id: str) -> int:
        """The id under an external id; 0 where it is not remembered."""
        return self._ids.get((model, xml_id), 0)

    def remember(self, model: str, xml_id: str, id: int) -> None:
        if len(self._ids) >= _REMEMBERED:
            del self._ids[next(iter(self._ids))]
        self._ids[model, xml_id] = id

    def forget(self, model: str, xml_id: str) -> None:
        self._ids.pop((model, xml_id), None)

    def remembers(self, link: Link) -> bool:
        return not isinstance(link, By) and bool(self.known(*_name(link)))

    def forget_link(self, link: Link) -> None:
        if not isinstance(link, By):
            self.forget(*_name(link))

    async def find(self, model: str, xml_id: str, deadline: Deadline) -> int:
        """The id of one record by external id, asked without any right on the table of external ids; 0 where there is none.

        A model that is not the expected one is a fault: two records of ours must never share a key.
        """
        module, _, name = xml_id.partition(".")
        try:
            answer = await self._session.read(
                "ir.model.data", "check_object_reference", deadline, None, {"active_test": False}, module=module, xml_id=name
            )
        except Fault as fault:
            if fault.code == "not-understood":  # ValueError: no such external id
                return 0
            raise
        found, record = answer
        if model and found != model:
            raise Fault("reject", "key-of-other-model", f"{model}: this key names a record of {found}; give keys a prefix of their kind")
        if not record:
            raise Fault("reject", "access-denied", f"{found}: the service user may not see the record under this key")
        self.remember(model, xml_id, record)
        return int(record)

    async def resolve(self, links: Iterable[Link], deadline: Deadline, *, make: bool = True) -> Found:
        """The id of each link, or why there is none. ``make`` false: nothing is written, what is absent stays so."""
        found: Found = {}
        codes: dict[tuple[str, str], list[By]] = defaultdict(list)
        seeds: list[Ref] = []
        for link in dict.fromkeys(links):
            if isinstance(link, By):
                codes[link.model, link.field].append(link)
            elif known := self.known(*_name(link)):
                found[link] = known
            elif isinstance(link, Ref) and link.values and make:
                seeds.append(link)
            else:
                found[link] = await self._named(link, deadline)
        for (model, field), group in codes.items():
            found |= await self._by_code(model, field, group, deadline)
        if seeds:
            found |= await self._make(seeds, deadline)
        return found

    async def _named(self, link: Ref | Xml, deadline: Deadline) -> int | Fault:
        try:
            record: int | Fault = await self.find(*_name(link), deadline)
        except Fault as fault:
            return fault
        if not record and isinstance(link, Ref) and link.adopt:
            record = (await self._adopted([link], deadline)).get(link, 0)
        return record or Fault("reject", "reference-absent", f"{_place(link)}: there is no record under this key: make it, then redeliver")

    async def _by_code(self, model: str, field: str, group: Sequence[By], deadline: Deadline) -> Found:
        values = [one.value for one in group]
        try:
            rows = await self._session.read(model, "search_read", deadline, None, domain=[[field, "in", values]], fields=[field])
        except Fault as fault:
            return dict.fromkeys(group, fault)
        ids: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            ids[row[field]].append(row["id"])
        return {one: _only(ids[one.value], model, field) for one in group}

    async def _make(self, seeds: Sequence[Ref], deadline: Deadline) -> Found:
        """Make those that are absent. One at a time: workers that race for the same record only delay each other. But what is critical
        never waits for others; two that make the same end with one record, for ``load`` goes by its key.
        """
        inner = await self.resolve((link for seed in seeds for link in links_in(seed.values)), deadline)
        first: dict[tuple[str, str], Ref] = {}
        for seed in seeds:  # the same key twice in one load would make two records
            first.setdefault(_name(seed), seed)
        made: Found = {}
        async with self._making[deadline.lane]:
            rows: list[Loadable[Ref]] = []
            adopted = await self._adopted([seed for name, seed in first.items() if seed.adopt and not self.known(*name)], deadline)
            for name, seed in first.items():
                taken = self.known(*name) or adopted.get(seed, 0)
                if taken:
                    made[seed] = taken
                    if isinstance(taken, int):
                        self.remember(*name, taken)
                    continue
                try:
                    rows.append(await self._row(seed, inner, deadline))
                except Fault as fault:
                    made[seed] = fault

            def done(row: Loadable[Ref], record: int) -> None:
                made[row.item] = record
                self.remember(row.model, row.item.xml_id, record)

            failed = await load(self._session, self._batches, rows, deadline, once=True, done=done)
            made.update((row.item, why) for row, why in failed)
        return {seed: made[first[_name(seed)]] for seed in seeds}

    async def _adopted(self, seeds: Sequence[Ref], deadline: Deadline) -> Found:
        """Those for which Odoo has exactly one record with the same value in the field by which they may be adopted.

        Where Odoo could not be asked, its fault: to go on would make a second one.
        """
        codes: dict[tuple[str, str], dict[By, Ref]] = defaultdict(dict)
        for seed in seeds:
            codes[seed.model, seed.adopt][By(seed.model, seed.adopt, str(seed.values[seed.adopt]))] = seed
        found: Found = {}
        for (model, field), group in codes.items():
            ids = await self._by_code(model, field, list(group), deadline)
            for code, seed in group.items():
                record = ids[code]
                if isinstance(record, int) or record.code not in _NONE_OR_MANY:
                    found[seed] = record
        return found

    async def _row(self, seed: Ref, inner: Found, deadline: Deadline) -> Loadable[Ref]:
        fields = await self._schema.fields(seed.model, deadline, wanted=frozenset(seed.values))
        values = adapt(seed.model, seed.values, fields)
        columns, rows = matrix(seed.xml_id, values, fields, sure(inner, links_in(values)))
        return Loadable(seed, seed.model, columns, rows)


def sure(found: Found, links: Iterable[Link]) -> dict[Link, int]:
    """The ids of these links; raises the fault of the first that has none."""
    ids: dict[Link, int] = {}
    for link in links:
        record = found[link]
        if isinstance(record, Fault):
            raise record
        ids[link] = record
    return ids


def _name(link: Ref | Xml) -> tuple[str, str]:
    return (link.model, link.xml_id) if isinstance(link, Ref) else ("", link.xml_id)


def _place(link: Ref | Xml) -> str:
    return link.model if isinstance(link, Ref) else link.xml_id


def _only(ids: list[int], model: str, field: str) -> int | Fault:
    if len(ids) == 1:
        return ids[0]
    if ids:
        return Fault("reject", "reference-ambiguous", f"{model}.{field}: {len(ids)} records have this code; leave it to one of them")
    return Fault("reject", "reference-absent", f"{model}.{field}: no record has this code: make it, then redeliver")
