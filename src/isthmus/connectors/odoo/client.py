"""Client: carries deliveries into one Odoo. Groups them, lets each kind be settled by its own file, and answers what came of each."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast

import aiohttp

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.detect import choose
from isthmus.connectors.odoo.documents import Documents
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.invoices import Invoices
from isthmus.connectors.odoo.lookups import Lookups
from isthmus.connectors.odoo.movements import Movements
from isthmus.connectors.odoo.operations import Appointment, Invoice, Movement, Operation, Task, Upsert, Withdraw, decode, links
from isthmus.connectors.odoo.records import Records
from isthmus.connectors.odoo.references import References
from isthmus.connectors.odoo.schema import Schema
from isthmus.connectors.odoo.session import Deadline, Session, turn
from isthmus.connectors.odoo.settings import OdooEndpoint
from isthmus.connectors.odoo.warehouse import Warehouse
from isthmus.connectors.odoo.withdrawals import Withdrawals
from isthmus.connectors.odoo.work import Work
from isthmus.connectors.port import Budget
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Reject, Retry, Unknown
from isthmus.core.policy import Lane

_PERHAPS_STALE = frozenset({"reference-absent", "record-gone", "already-posted", "already-done", "draft-differs"})
"""What may only look so because a remembered id was deleted or merged away: forgotten and looked at once more."""
_NOT_PREPARED = frozenset({"reference-absent", "reference-ambiguous", "unknown-field"})
"""What keeps a check from looking: the delivery cannot have had its effect, and a send will say the same and more."""
_CALLS = 3.0
"""A send of many deliveries makes several calls: it begins none after so many times the timeout of one. The courier waits longer."""
_DOCUMENTS = 25
"""Documents in one call: each is hundreds of rows to Odoo, and more at once only hold locks for longer."""


class OdooClient:
    """Fulfils ``isthmus.connectors.port.Client``."""

    def __init__(self, name: str, settings: OdooEndpoint, budget: Budget, rng: random.Random | None = None) -> None:
        self.name = name
        self.max_batch = settings.batch
        self.in_flight = settings.in_flight
        self.notice = ""
        """Which protocol was chosen, and why; empty until the server was asked."""
        self._settings = settings
        self._budget = budget
        self._rng = rng or random.Random()  # noqa: S311 - spreads pauses, keeps no secret
        self._http: aiohttp.ClientSession | None = None
        self._desk: _Desk | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        await self.ping(self._settings.timeout)

    async def close(self) -> None:
        http, self._http, self._desk = self._http, None, None
        if http is not None:
            await http.close()

    async def ping(self, timeout: float) -> None:
        deadline = Deadline(timeout, "safety")
        try:
            await self._greet((await self._ready(deadline)).session, deadline)
        except Fault as fault:
            raise fault.failure from None

    async def _greet(self, session: Session, deadline: Deadline) -> None:
        """Is the key good, and may its user work for the company? A wrong company would kill every delivery: found here, they wait."""
        me = await session.read("res.users", "context_get", deadline)
        company, wrong = self._settings.company, "'company' names none that the service user may work for; see the user's allowed companies"
        try:
            rows = await session.read("res.users", "search_read", deadline, None, domain=[["id", "=", me["uid"]]], fields=["company_ids"])
        except Fault as fault:
            if fault.code == "access-denied":
                raise Fault("reject", "wrong-company", wrong) from None
            raise
        if not rows or company not in rows[0]["company_ids"]:
            raise Fault("reject", "wrong-company", wrong)

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        deadline = Deadline(timeout, lane)
        try:
            return await (await self._ready(deadline)).lookups.answer(lookup, deadline)
        except Fault as fault:
            raise fault.failure from None

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        deadline = Deadline(timeout, lane, calls=_CALLS)
        works = [_opened(delivery) for delivery in deliveries]
        todo = [work for work in works if isinstance(work, Work)]
        try:
            desk = await self._ready(deadline)
        except Fault as fault:
            for work in todo:
                work.fail(fault)
        else:
            for wave in _waves(todo):
                await desk.settle(wave, deadline)
        return [work if isinstance(work, Reject) else _outcome(work) for work in works]

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        deadline = Deadline(timeout, lane, calls=_CALLS)
        work = _opened(delivery)
        if isinstance(work, Reject):
            return work
        try:
            await (await self._ready(deadline)).check(work, deadline)
        except Fault as fault:
            return Reject(fault.code, fault.detail) if fault.verdict == "reject" else Unknown(fault.code, fault.detail, fault.untried)
        if isinstance(work.outcome, (Retry, Unknown)):  # it could not be looked at
            return Unknown(work.outcome.code, work.outcome.detail, work.outcome.untried)
        if isinstance(work.outcome, Delivered) or (isinstance(work.outcome, Reject) and work.outcome.code not in _NOT_PREPARED):
            return work.outcome
        return Retry("not-there", "Odoo does not show the effect; sending it again is safe")

    async def _ready(self, deadline: Deadline) -> _Desk:
        """Connected, and what the server speaks found out; asked again after it was not reachable."""
        if self._desk is None:
            async with self._opening:
                if self._http is None:
                    self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=max(4, self.in_flight)))
                if self._desk is None:
                    async with turn(self._budget, deadline):
                        choice = await choose(self._http, self._settings, max(0.1, min(deadline.next_call, 30.0)))
                    self.notice = choice.notice
                    session = Session(
                        choice.transport, self._budget, company=self._settings.company, timeout=self._settings.timeout, rng=self._rng
                    )
                    self._desk = _Desk(session, self._settings)
        return self._desk


class _Desk:
    """What there is once one knows which Odoo one speaks to: everything that settles deliveries."""

    def __init__(self, session: Session, settings: OdooEndpoint) -> None:
        batches, documents = Batches(settings.batch), Batches(min(settings.batch, _DOCUMENTS))
        schema = Schema(session)
        self.session = session
        self.references = References(session, schema, batches)
        self.records = Records(session, schema, self.references, batches)
        self.invoices = Documents(session, self.references, documents, batches, Invoices(session, documents))
        warehouse = Warehouse(session, schema, settings.company)
        self.movements = Documents(session, self.references, documents, batches, Movements(session, warehouse, documents))
        self.withdrawals = Withdrawals(session, schema, self.references)
        self.lookups = Lookups(session, schema, self.references)

    async def settle(self, works: Sequence[Work[Operation]], deadline: Deadline) -> None:
        """Give each an outcome; no two have the same key."""
        await self._settle(works, deadline)
        doubted = [work for work in works if isinstance(work.outcome, Reject) and work.outcome.code in _PERHAPS_STALE]
        again = [work for work in doubted if self._forget(work)]
        for work in again:
            work.outcome = None
        await self._settle(again, deadline)

    async def check(self, work: Work[Operation], deadline: Deadline) -> None:
        """Settle it where its effect is there or can never be; nothing is written."""
        await self._check(work, deadline)
        if isinstance(work.outcome, Reject) and work.outcome.code in _PERHAPS_STALE and self._forget(work):
            work.outcome = None
            await self._check(work, deadline)

    async def _check(self, work: Work[Operation], deadline: Deadline) -> None:
        match work.operation:
            case Upsert() | Task() | Appointment():
                await self.records.check(cast("Work[Upsert | Task | Appointment]", work), deadline)
            case Invoice():
                await self.invoices.check(cast("Work[Invoice]", work), deadline)
            case Movement():
                await self.movements.check(cast("Work[Movement]", work), deadline)
            case Withdraw():
                await self.withdrawals.check(cast("Work[Withdraw]", work), deadline)

    async def _settle(self, works: Sequence[Work[Operation]], deadline: Deadline) -> None:
        groups: dict[tuple[type[Operation], str], list[Work[Operation]]] = defaultdict(list)
        for work in works:
            kind: type[Operation] = Upsert if isinstance(work.operation, (Task, Appointment)) else type(work.operation)
            groups[kind, work.operation.model].append(work)
        hopeless: Fault | None = None
        for (kind, model), group in groups.items():
            if hopeless is None:
                hopeless = await _attempt(group, self._way(kind, model, group, deadline))
            else:
                fault = Fault("retry", hopeless.code, "not tried, since the call before it failed so", after=hopeless.after, untried=True)
                for work in group:
                    work.fail(fault)

    def _way(self, kind: type[Operation], model: str, group: list[Any], deadline: Deadline) -> Callable[[], Awaitable[None]]:
        match kind:
            case _ if kind is Invoice:
                return lambda: self.invoices.settle(group, deadline)
            case _ if kind is Movement:
                return lambda: self.movements.settle(group, deadline)
            case _ if kind is Withdraw:
                return lambda: self._withdraw(group, deadline)
        return lambda: self.records.settle(model, group, deadline)

    async def _withdraw(self, group: Sequence[Work[Withdraw]], deadline: Deadline) -> None:
        for work in group:
            try:
                await self.withdrawals.settle(work, deadline)
            except Fault as fault:
                work.fail(fault)

    def _forget(self, work: Work[Operation]) -> bool:
        """Forget what is remembered of what it names; true where that was something."""
        named = [link for link in links(work.operation) if self.references.remembers(link)]
        for link in named:
            self.references.forget_link(link)
        return bool(named)


async def _attempt(group: Sequence[Work[Operation]], settle: Callable[[], Awaitable[None]]) -> Fault | None:
    """Settle a group; whatever hits it as a whole becomes the outcome of those that have none. A fault that the next would meet too."""
    try:
        await settle()
    except Fault as fault:
        for work in group:
            if work.outcome is None:
                work.fail(fault)
    for work in group:
        if isinstance(work.outcome, (Retry, Unknown)):
            met = Fault("retry", work.outcome.code, after=work.outcome.after if isinstance(work.outcome, Retry) else None)
            if met.hopeless:
                return met
    return None


def _opened(delivery: Delivery) -> Work[Operation] | Reject:
    try:
        return Work(decode(delivery.body), delivery.body)
    except Bug as bug:
        return Reject(bug.code, bug.detail)


def _waves(works: Iterable[Work[Operation]]) -> Iterable[list[Work[Operation]]]:
    """The same key twice in one ``load`` would make two records: each wave has it once, in order."""
    waves: list[dict[str, Work[Operation]]] = []
    for work in works:
        for wave in waves:
            if work.xml_id not in wave:
                wave[work.xml_id] = work
                break
        else:
            waves.append({work.xml_id: work})
    return (list(wave.values()) for wave in waves)


def _outcome(work: Work[Operation]) -> Outcome:
    if work.outcome is None:
        raise Bug("no-outcome", f"a delivery to {work.operation.model} was settled by nobody")
    return work.outcome
