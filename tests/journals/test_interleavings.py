"""Whatever the loops do at the same time, in whatever order, and wherever they are interrupted: the journal keeps its promises.

Two machines, for every adapter. ``SameAsMemory`` walks the suite's own random walk, but hypothesis chooses the steps and finds the
shortest walk that fails; in between the journal is closed and opened again. ``Loops`` lets receivers, translators, subscribers,
couriers, lifelines and people act at the same time, cancels them in the middle, and holds what must be true against what they saw.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, get_args

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Claimed, DeliveryState, Journal, Planned, Query, Settlement, Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite.model import OWNERS, TARGETS, TYPES, Walk
from isthmus.journals.suite.samples import (
    ADT,
    LAB,
    ODOO,
    PORTAL,
    arrival,
    at,
    dead,
    delivered,
    delivery,
    envelope,
    message,
    retried,
    unknown,
)

Make = Callable[[], Journal]
"""Another, unopened journal over the same store."""
ALL = 100_000
RANDOM = st.randoms(use_true_random=False)
SEEDED = st.integers(0, 2**32 - 1).map(Random)
"""For what happens at the same time: how much is drawn depends on what was faster, so hypothesis chooses the seed only."""


class SameAsMemory(RuleBasedStateMachine):
    """The walk of the suite, step by step as hypothesis likes."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.make = make
        self.reopened = 0

    @initialize(random=RANDOM)
    def begin(self, random: Random) -> None:
        journal = self.make()
        self.runner.run(journal.open())
        self.walk = Walk(random, journal)
        self.runner.run(self.walk.begin())

    @rule(random=RANDOM, step=st.sampled_from(
        ("receive", "translate", "plan", "claim", "settle", "release", "people", "reprocess", "stop", "prune", "receipt", "enrol")
    ), times=st.integers(1, 3))  # fmt: skip
    def step(self, random: Random, step: str, times: int) -> None:
        self.walk.random = random
        for _ in range(times):
            self.walk.clock += random.randint(1, 30)
            self.runner.run(getattr(self.walk, step)())

    @rule()
    def crash(self) -> None:
        """The process ends with claims in hand; its successor finds everything, and whose claims they were."""

        async def again() -> Journal:
            await self.walk.both[0].close()
            journal = self.make()
            await journal.open()
            return journal

        if not isinstance(self.walk.both[0], MemoryJournal):
            self.walk.both = (self.runner.run(again()), self.walk.both[1])

    def teardown(self) -> None:
        try:
            if hasattr(self, "walk"):
                self.runner.run(self.walk.compare_everything())
                self.runner.run(self.walk.both[0].close())
        finally:
            self.runner.close()


class Loops(RuleBasedStateMachine):
    """Loops at work, interrupted anywhere. Whatever was told (answers, claims, kept plans) is remembered and held against the journal."""

    def __init__(self, make: Make) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.make = make
        self.clock = 0
        self.acknowledged: dict[str, bytes] = {}
        self.hand: dict[str, dict[str, Claimed]] = {owner: {} for owner in OWNERS}
        """What each owner is sending."""
        self.settling: dict[str, list[Settlement]] = {owner: [] for owner in OWNERS}
        """Sent, and not known to be settled."""
        self.held: dict[tuple[str, str], str] = {}
        """Ordering keys of which something is being sent."""
        self.unsure: set[str] = set()
        """Owners whose last claim was interrupted: they may hold what they do not know of."""
        self.busy: set[str] = set()
        self.to_check: set[str] = set()
        """Being sent by an owner that died: their next attempt must know that the one before is unknown."""
        self.rank: dict[str, tuple[int, int]] = {}
        """Place of each delivery in its subscription: event, and place in its plan."""
        self.last: dict[tuple[str, str, str], tuple[int, int]] = {}
        self.reworked: set[tuple[str, str]] = set()
        self.seen: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.journal = self.make()
        self.runner.run(self.journal.open())
        for name, types in TYPES.items():
            self.runner.run(self.journal.enrol(name, types))

    # ---- what hypothesis may do

    @rule(random=SEEDED, acts=st.lists(st.sampled_from(
        ("receive", "receive", "translate", "plan", "plan", "claim", "claim", "settle", "settle", "people", "reprocess", "prune", "die")
    ), min_size=1, max_size=6), cut=st.lists(st.integers(0, 12), max_size=6), crash=st.booleans())  # fmt: skip
    def together(self, random: Random, acts: Sequence[str], cut: Sequence[int], crash: bool) -> None:
        """Several loops at once; some are cancelled after so many turns (0: never); perhaps the process ends right after."""
        self.clock += random.randint(1, 60)
        self.runner.run(self._together([getattr(self, f"_{name}")(random) for name in acts], list(cut)))
        if crash and not isinstance(self.journal, MemoryJournal):
            self.runner.run(self._crash())

    async def _together(self, acts: list[Coroutine[Any, Any, None]], cut: list[int]) -> None:
        tasks = [asyncio.create_task(act) for act in acts]
        for turn in range(1, 13):
            await asyncio.sleep(0)
            for task, when in zip(tasks, cut, strict=False):
                if when == turn:
                    task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    async def _crash(self) -> None:
        await self.journal.close()
        self.journal = self.make()
        await self.journal.open()
        for owner in OWNERS:
            await self._release(owner)
        assert not await self.journal.owners(), "nobody is left who had claims"

    # ---- loops

    async def _receive(self, random: Random) -> None:
        """The same message has the same bytes and the same first answer, whenever it comes."""
        said = [f"C{random.randint(1, 25)}" for _ in range(random.randint(1, 4))]
        batch = [arrival(message(one, interface=ADT if int(one[1:]) % 3 else LAB), ("patient", one)) for one in said]
        for accepted in await self.journal.receive(batch):
            assert self.acknowledged.setdefault(accepted.message_id, accepted.ack) == accepted.ack

    async def _translate(self, random: Random) -> None:
        waiting = await self.journal.untranslated(random.randint(1, 8))
        await self.journal.translated([_meaning(one.id, one.control_id) for one in waiting], at(self.clock))

    async def _plan(self, random: Random) -> None:
        name = random.choice(tuple(TYPES))
        stands = next(one for one in await self.journal.positions() if one.subscription == name)
        events = await self.journal.upcoming(name, random.randint(1, 8))
        if not events or events[0].seq <= stands.cursor:
            return  # another has worked them off between the two questions
        plans = [self._planned(name, one) for one in events]
        await self.journal.planned(name, events[-1].seq, plans, at(self.clock), after=stands.cursor)

    def _planned(self, name: str, event: Envelope) -> Planned:
        plan = _plan_of(name, event)
        for place, one in enumerate(plan.deliveries):
            self.rank.setdefault(one.id, (event.seq, place))
        return plan

    async def _claim(self, random: Random) -> None:
        owner, endpoint = random.choice(OWNERS), random.choice((ODOO, PORTAL))
        if owner in self.busy:
            return  # a courier claims one batch at a time
        self.busy.add(owner)
        try:
            if owner in self.unsure:
                await self._release(owner)
            self.unsure.add(owner)
            claimed = await self.journal.claim(endpoint, random.randint(1, 6), at(self.clock), owner)
            self.unsure.discard(owner)
            for one in claimed:
                self._took(owner, one)
        finally:
            self.busy.discard(owner)

    def _took(self, owner: str, one: Claimed) -> None:
        delivery = one.delivery
        place = (delivery.endpoint, delivery.ordering_key)
        if delivery.ordering_key:
            assert place not in self.held, f"two of {place} are being sent at the same time"
            self.held[place] = delivery.id
        assert not any(delivery.id in hand for hand in self.hand.values()), "one delivery in two hands"
        if delivery.id in self.to_check:
            assert one.unknown, "its first sender died while sending: it must be checked first"
            self.to_check.discard(delivery.id)
        if delivery.id not in self.seen and delivery.ordering_key and place not in self.reworked and delivery.id in self.rank:
            line = (delivery.endpoint, delivery.subscription, delivery.ordering_key)
            assert self.rank[delivery.id] > self.last.get(line, (0, -1)), "an ordering key was overtaken"
            self.last[line] = self.rank[delivery.id]
        self.seen.add(delivery.id)
        self.hand[owner][delivery.id] = one

    async def _settle(self, random: Random) -> None:
        owner = random.choice(OWNERS)
        if owner in self.busy:
            return
        self.busy.add(owner)
        try:
            for id in [one for one in self.hand[owner] if random.random() < 0.7]:
                self._sent(self.hand[owner].pop(id))
                self.settling[owner].append(_end(random, id, self.clock))
            batch = list(self.settling[owner])
            await self.journal.settle(batch, owner)
            del self.settling[owner][: len(batch)]
        finally:
            self.busy.discard(owner)

    def _sent(self, one: Claimed) -> None:
        self.held.pop((one.delivery.endpoint, one.delivery.ordering_key), None)

    async def _die(self, random: Random) -> None:
        owner = random.choice(OWNERS)
        if owner not in self.busy:
            self.busy.add(owner)
            try:
                await self._release(owner)
            finally:
                self.busy.discard(owner)

    async def _release(self, owner: str) -> None:
        """The owner is gone; nothing of it is being sent any more, from before its claims are given back."""
        for id, one in self.hand[owner].items():
            self._sent(one)
            self.to_check.add(id)
        self.hand[owner].clear()
        self.settling[owner].clear()
        self.unsure.add(owner)
        await self.journal.release(owner, at(self.clock))
        self.unsure.discard(owner)

    async def _people(self, random: Random) -> None:
        ids = [one.id for one in await self.journal.deliveries(state="dead", limit=5)]
        act = self.journal.redeliver if random.random() < 0.6 else self.journal.abandon
        await act(ids, "ann", "why", at(self.clock))

    async def _reprocess(self, random: Random) -> None:
        known = [one for one in await self.journal.find(Query(limit=20)) if one.state != "received"]
        if not known:
            return
        one = random.choice(known)
        result = _meaning(one.id, one.control_id, again=random.randint(0, 2))
        planned: dict[str, Sequence[Planned]] = {
            name: [_plan_of(name, event) for event in result.events if event.type in types] for name, types in TYPES.items()
        }
        self.reworked |= {(one.endpoint, one.ordering_key) for plans in planned.values() for plan in plans for one in plan.deliveries}
        self.to_check -= {one.id for plans in planned.values() for plan in plans for one in plan.deliveries}
        await self.journal.reprocess(one.id, result, planned, by="ann", why="mended", now=at(self.clock))

    async def _prune(self, random: Random) -> None:
        await self.journal.prune(random.choice((ADT, LAB)), at(self.clock - random.randint(0, 600)), at(self.clock), limit=5)

    # ---- what must be true

    @invariant()
    @precondition(lambda self: hasattr(self, "journal"))
    def it_adds_up(self) -> None:
        self.runner.run(self._settled())

    async def _settled(self) -> None:
        """What was cancelled may still be on its way to the disk: soon it is there as a whole, or not at all."""
        for _ in range(40):
            with suppress(AssertionError):
                return await self._add_up()
            await asyncio.sleep(0.02)
        return await self._add_up()

    async def _add_up(self) -> None:
        kept = {one.id: one for one in await self.journal.find(Query(limit=ALL))}
        assert self.acknowledged.keys() <= kept.keys(), "what was acknowledged is there"
        tallies = await self.journal.tallies()
        assert all(one.count >= 0 for one in tallies)
        counted = Counter({(one.name, one.state): one.count for one in tallies if one.noun == "message" and one.state != "duplicate"})
        assert +counted == Counter((one.interface, one.state) for one in kept.values()), "messages by state"
        sums: dict[str, int] = defaultdict(int)
        for one in tallies:
            sums[one.state] += one.count if one.noun == "delivery" else 0
        for state in get_args(DeliveryState):
            assert sums[state] == len(await self.journal.deliveries(state=state, limit=ALL)), f"deliveries that are {state}"
        for place in await self.journal.positions():
            assert place.waiting == len(await self.journal.upcoming(place.subscription, ALL)), "events that wait"
        backlog = Counter(one.interface for one in kept.values() if one.state == "received")
        assert {name: count for name, count in (await self.journal.backlog()).items() if count} == dict(backlog)

    def teardown(self) -> None:
        try:
            if hasattr(self, "journal"):
                self.runner.run(self._end())
                self.runner.run(self.journal.close())
        finally:
            self.runner.close()

    async def _end(self) -> None:
        """Everything is worked off: each message has been translated, each event planned, each delivery delivered, or given up by name."""
        for owner in OWNERS:
            await self._release(owner)
        random = Random(1)
        for _ in range(ALL):
            self.clock += 100_000  # whatever waits for its time is due
            await self._translate(random)
            for name in TYPES:
                await self._plan_all(name)
            claimed = [one for endpoint in (ODOO, PORTAL) for one in await self.journal.claim(endpoint, 50, at(self.clock), OWNERS[0])]
            for one in claimed:
                self._took(OWNERS[0], one)
                self._sent(self.hand[OWNERS[0]].pop(one.delivery.id))
            await self.journal.settle([delivered(one.delivery.id, ended=at(self.clock)) for one in claimed], OWNERS[0])
            lying = [one.id for one in await self.journal.deliveries(state="dead", limit=ALL)]
            await self.journal.redeliver(lying, "ann", "why", at(self.clock))
            if not claimed and not lying and not await self.journal.untranslated(1):
                break
        await self._settled()
        for state in ("due", "sending", "unknown", "dead"):
            assert not await self.journal.deliveries(state=state, limit=1), f"something is {state} for ever"  # type: ignore[arg-type]
        assert not any(one.waiting for one in await self.journal.positions())

    async def _plan_all(self, name: str) -> None:
        while events := await self.journal.upcoming(name, 50):
            await self.journal.planned(name, events[-1].seq, [self._planned(name, one) for one in events], at(self.clock))


def _meaning(message_id: str, control_id: str, *, again: int = 0) -> Translated:
    """What a message means: always the same, as a pure function has it; ``again``: by other code."""
    random = Random(f"{control_id}/{again}")
    cause = structs.replace(message(control_id), id=message_id, correlation_id=message_id)
    types = tuple(set().union(*TYPES.values()))
    return Translated(
        message_id=message_id,
        events=tuple(envelope(cause, f"e{n}", type=random.choice(sorted(types))) for n in range(random.randint(0, 2))),
    )


def _plan_of(name: str, event: Envelope) -> Planned:
    random = Random(f"{name}/{event.id}")
    line = random.choice(("", "patient/1", "patient/2"))

    def one(n: int) -> Delivery:
        made = delivery(event, f"{event.id[:6]}-{n}", ordering_key=line, endpoint=random.choice(TARGETS[name]), subscription=name)
        return structs.replace(made, causation_id=event.id, correlation_id=event.correlation_id)

    return Planned(event_id=event.id, deliveries=tuple(one(n) for n in range(random.randint(0, 2))))


def _end(random: Random, id: str, clock: int) -> Settlement:
    now, later = at(clock), at(clock + random.randint(0, 90))
    ends = (
        delivered(id, ended=now),
        retried(id, not_before=later, ended=now),
        unknown(id, not_before=later, ended=now),
        dead(id, ended=now),
    )
    return random.choices(ends, (6, 2, 1, 2))[0]


# ---- adapters

MACHINES = (SameAsMemory, Loops)


def walked(machine: type[SameAsMemory | Loops], stores: Iterator[Make], examples: int) -> None:
    """Each example on a store of its own."""
    run_state_machine_as_test(
        lambda: machine(next(stores)),
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_loops_on_memory() -> None:
    def stores() -> Iterator[Make]:
        while True:
            yield MemoryJournal

    walked(Loops, stores(), 30)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_loops_on_sqlite(machine: type[SameAsMemory | Loops], tmp_path: Path) -> None:
    def stores() -> Iterator[Make]:
        for number in itertools.count():
            keyring = Keyring.ephemeral()
            yield lambda number=number, keyring=keyring: SqliteJournal(tmp_path / str(number) / "journal.sqlite", keyring)  # type: ignore[misc]

    walked(machine, stores(), 20)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("machine", MACHINES)
def test_loops_on_postgresql(machine: type[SameAsMemory | Loops], postgres_server: str) -> None:
    made: list[str] = []

    async def ask(question: str) -> None:
        server = await asyncpg.connect(postgres_server)
        try:
            await server.execute(question)
        finally:
            await server.close()

    def stores() -> Iterator[Make]:
        while True:
            made.append(f"test_{secrets.token_hex(8)}")
            asyncio.run(ask(f"CREATE DATABASE {made[-1]} TEMPLATE template0"))
            dsn, keyring = f"{postgres_server.rpartition('/')[0]}/{made[-1]}", Keyring.ephemeral()
            yield lambda dsn=dsn, keyring=keyring: PostgresJournal(dsn, keyring)  # type: ignore[misc]

    try:
        walked(machine, stores(), 8)
    finally:
        for name in made:
            with suppress(asyncpg.PostgresError):
                asyncio.run(ask(f"DROP DATABASE {name} WITH (FORCE)"))
