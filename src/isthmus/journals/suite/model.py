"""Any adapter behaves like the memory journal, whatever is done in whatever order: a random walk on both, compared at each step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Literal, get_args

import pytest
from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.outcome import Receipt
from isthmus.core.policy import LANES, Lane
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Arrival, DeliveryState, Journal, Planned, Query, Settlement, Story, Translated
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    LAB,
    NOTIFY,
    ODOO,
    PORTAL,
    RESULTED,
    at,
    dead,
    delivered,
    delivery,
    envelope,
    message,
    retried,
    unknown,
)  # fmt: skip

STEPS = 300
OWNERS = ("node-1", "node-2")
TYPES = {BILL: frozenset((DISCHARGED,)), NOTIFY: frozenset((DISCHARGED, RESULTED))}
ARRIVED: tuple[Literal["received", "invalid", "refused"], ...] = ("received", "invalid", "refused")
TRANSLATED: tuple[Literal["translated", "invalid", "failed"], ...] = ("translated", "invalid", "failed")
TARGETS = {BILL: (ODOO,), NOTIFY: (PORTAL, ODOO)}


@pytest.mark.asyncio
class TestSameAsMemory:
    @pytest.mark.parametrize("seed", range(4))
    async def test_a_random_walk(self, journal: Journal, seed: int) -> None:
        walk = Walk(Random(seed), journal)
        await walk.begin()
        for _ in range(STEPS):
            await walk.step()
        await walk.compare_everything()
        assert walk.reached >= {"duplicate", "dead", "unknown", "superseded", "abandoned", "pruned"}, "the walk was too short to mean much"


class Walk:
    """Does the same to both journals; random choices are made once and told to both."""

    def __init__(self, random: Random, journal: Journal) -> None:
        self.random = random
        self.both: tuple[Journal, Journal] = (journal, MemoryJournal())
        self.clock = 0
        self.messages: list[str] = []
        self.claims: list[tuple[str, str]] = []
        self.reached: set[str] = set()

    @property
    def now(self) -> datetime:
        return at(self.clock)

    async def begin(self) -> None:
        await self.both[1].open()
        for journal in self.both:
            for name, types in TYPES.items():
                await journal.enrol(name, types)

    async def step(self) -> None:
        self.clock += self.random.randint(1, 30)
        acts = (self.receive, self.translate, self.plan, self.plan, self.claim, self.claim, self.settle, self.settle, self.settle)
        rare = (self.release, self.people, self.people, self.reprocess, self.reprocess, self.stop, self.prune, self.receipt, self.enrol)
        await self.random.choice(self.random.choices((acts, rare), (4, 1))[0])()

    async def receive(self) -> None:
        batch = [self._arrival() for _ in range(self.random.randint(1, 4))]
        mine, model = [await journal.receive(batch) for journal in self.both]
        assert list(mine) == list(model)
        self.reached |= {"duplicate" for one in mine if one.duplicate}
        self.messages += [one.message_id for one in mine if not one.duplicate]

    def _arrival(self) -> Arrival:
        control_id = f"C{self.random.randint(1, 60)}"
        one = message(
            control_id, interface=self.random.choice((ADT, LAB)), received=self.now, kind=self.random.choice(("ADT^A01", "ADT^A03"))
        )
        state: Literal["received", "invalid", "refused"] = self.random.choices(ARRIVED, (10, 1, 1))[0]
        identifiers = (("patient", f"P{self.random.randint(1, 20)}"),)
        return Arrival(
            message=one, state=state, identifiers=identifiers, ack=control_id.encode(), reason="" if state == "received" else "contract"
        )

    async def translate(self) -> None:
        limit, interfaces = self.random.randint(1, 8), self.random.choice((None, None, frozenset((ADT,)), frozenset((ADT, LAB))))
        mine, model = [await journal.untranslated(limit, interfaces) for journal in self.both]
        assert list(mine) == list(model)
        results = [self._meaning(one.id, one.control_id) for one in mine]
        for journal in self.both:
            await journal.translated(results, self.now)

    def _meaning(self, message_id: str, control_id: str) -> Translated:
        state: Literal["translated", "invalid", "failed"] = self.random.choices(TRANSLATED, (10, 1, 1))[0]
        cause = structs.replace(message(control_id), id=message_id, correlation_id=message_id)
        events = tuple(
            envelope(cause, f"e{n}", type=self.random.choice((DISCHARGED, RESULTED)), body=bytes([self.random.randint(65, 66)]))
            for n in range(self.random.randint(0, 2) if state == "translated" else 0)
        )
        return Translated(message_id=message_id, state=state, events=events, reason="" if state == "translated" else "why")

    async def plan(self) -> None:
        name = self.random.choice((BILL, NOTIFY))
        limit = self.random.randint(1, 10)
        mine, model = [await journal.upcoming(name, limit) for journal in self.both]
        assert [structs.replace(one, seq=0) for one in mine] == [structs.replace(one, seq=0) for one in model]
        results = [self._plan(name, one) for one in mine]
        stale = self.random.random() < 0.1
        kept: list[bool] = []
        for journal, seen in zip(self.both, (mine, model), strict=True):
            places = {one.subscription: one.cursor for one in await journal.positions()}
            after = self.random.choice((None, places[name])) if not stale else places[name] - 1
            kept.append(await journal.planned(name, seen[-1].seq if seen else 0, results, self.now, after=after))
        assert kept == [not stale] * 2
        await self._compare_positions()

    def _plan(self, subscription: str, event: Envelope) -> Planned:
        made = tuple(self._delivery(subscription, event, n) for n in range(self.random.randint(0, 2)))
        answers = tuple(Answer(f"l{n}", ODOO, "payer", b"1") for n in range(self.random.randint(0, 1)))
        return Planned(event_id=event.id, deliveries=made, answers=answers)

    def _delivery(self, subscription: str, event: Envelope, n: int) -> Delivery:
        line = self.random.choice(("", "patient/1", "patient/2", "patient/3"))
        body = bytes([self.random.randint(65, 67)])
        made = delivery(
            event,
            f"{event.id[:1]}-{n}",
            ordering_key=line,
            body=body,
            endpoint=self.random.choice(TARGETS[subscription]),
            subscription=subscription,
        )
        return structs.replace(made, causation_id=event.id, correlation_id=event.correlation_id)

    async def claim(self) -> None:
        endpoint, limit, owner = self.random.choice((ODOO, PORTAL)), self.random.randint(1, 6), self.random.choice(OWNERS)
        assert len({str(await journal.next_due(endpoint)) for journal in self.both}) == 1
        lane: Lane | None = self.random.choice((None, None, *LANES))
        mine, model = [await journal.claim(endpoint, limit, self.now, owner, lane=lane) for journal in self.both]
        assert list(mine) == list(model)
        self.claims += [(one.delivery.id, owner) for one in mine]

    async def settle(self) -> None:
        owner = self.random.choice(OWNERS)
        claimed = [one for one, by in self.claims if by == owner and self.random.random() < 0.7]
        settlements = [self._settlement(one) for one in dict.fromkeys(claimed)]
        self.claims = [(one, by) for one, by in self.claims if by != owner or one not in claimed or self.random.random() < 0.05]
        for journal in self.both:
            await journal.settle(settlements, owner)

    def _settlement(self, id: str) -> Settlement:
        later = at(self.clock + self.random.randint(0, 60))
        return self.random.choices(
            (
                delivered(id, ended=self.now),
                retried(id, not_before=self.random.choice((None, later)), ended=self.now),
                unknown(id, not_before=self.random.choice((None, later)), ended=self.now),
                dead(id, ended=self.now),
            ),
            (6, 2, 1, 2),
        )[0]

    async def release(self) -> None:
        owner = self.random.choice(OWNERS)
        mine, model = [await journal.release(owner, self.now) for journal in self.both]
        assert mine == model

    async def people(self) -> None:
        state: DeliveryState = self.random.choices(("dead", "abandoned", "delivered", "unknown", "due"), (6, 1, 1, 1, 1))[0]
        mine, model = [await journal.deliveries(state=state, limit=5) for journal in self.both]
        assert [one.id for one in mine] == [one.id for one in model]
        ids = [one.id for one in mine if self.random.random() < 0.5]
        redeliver = self.random.random() < 0.4
        done = [await (journal.redeliver if redeliver else journal.abandon)(ids, "ann", "why", self.now) for journal in self.both]
        assert list(done[0]) == list(done[1])

    async def reprocess(self) -> None:
        if not self.messages:
            return
        message_id = self.random.choice(self.messages[-40:])
        kept = await self.both[0].message(message_id)
        assert kept is not None
        if not kept.body:
            return  # pruned: nothing is left to translate
        result = self._meaning(message_id, kept.control_id)
        planned: dict[str, Sequence[Planned]] = {
            name: [self._plan(name, event) for event in result.events if event.type in types] for name, types in TYPES.items()
        }
        mine, model = [await journal.reprocess(message_id, result, planned, by="ann", why="mended", now=self.now) for journal in self.both]
        assert list(mine) == list(model)

    async def stop(self) -> None:
        name = self.random.choice((BILL, NOTIFY))
        stop = self.random.random() < 0.3
        for journal in self.both:
            await (journal.stop(name, "exception", "bill:17", self.now) if stop else journal.resume(name, self.now))

    async def prune(self) -> None:
        interface, before = self.random.choice((ADT, LAB)), at(self.clock - self.random.randint(0, 1500))
        mine, model = [await journal.prune(interface, before, self.now, limit=5) for journal in self.both]
        assert structs.replace(mine, bytes_freed=0) == structs.replace(model, bytes_freed=0)
        self.reached |= {"pruned"} if mine.messages else set()

    async def enrol(self) -> None:
        name, lane = self.random.choice(list(TYPES)), self.random.choice(LANES)
        for journal in self.both:
            await journal.enrol(name, TYPES[name], lane=lane)

    async def receipt(self) -> None:
        key, endpoint = f"{self.random.choice('0123456789abcdef')}-0", self.random.choice((ODOO, PORTAL))
        mine, model = [await journal.receipt(key, endpoint, Receipt("application", "AA", "17"), self.now) for journal in self.both]
        assert mine == model

    async def compare_everything(self) -> None:
        tallies = [sorted(await journal.tallies(), key=str) for journal in self.both]
        assert tallies[0] == tallies[1]
        self.reached |= {one.state for one in tallies[0]}
        for state in get_args(DeliveryState):
            mine, model = [await journal.deliveries(state=state, limit=10_000) for journal in self.both]
            assert [structs.replace(one, seq=0) for one in mine] == [structs.replace(one, seq=0) for one in model]
        await self._compare_positions()
        assert list(await self.both[0].owners()) == list(await self.both[1].owners())
        assert await self.both[0].backlog() == await self.both[1].backlog()
        for query in (
            Query(limit=10_000),
            Query(identifier="P7"),
            Query(identifier="C7"),
            Query(interface=ADT, kind="ADT^A03", state="translated"),
        ):
            found = [[structs.replace(one, seq=0) for one in await journal.find(query)] for journal in self.both]
            assert found[0] == found[1]
        for one in self.messages:
            told = [_unnumbered(await journal.story(one)) for journal in self.both]
            assert told[0] == told[1]

    async def _compare_positions(self) -> None:
        places = [[structs.replace(one, cursor=0) for one in await journal.positions()] for journal in self.both]
        assert places[0] == places[1]


def _unnumbered(story: Story | None) -> Story:
    """Without what differs between right adapters: numbers, and the order of steps and receipts of one moment."""
    assert story is not None
    return structs.replace(
        story,
        message=structs.replace(story.message, seq=0),
        events=tuple(structs.replace(one, seq=0) for one in story.events),
        deliveries=tuple(structs.replace(one, seq=0) for one in story.deliveries),
        receipts=tuple(sorted(story.receipts, key=str)),
        steps=tuple(sorted(story.steps, key=lambda step: (step.at, step.subject, step.stage, step.code, step.detail))),
    )
