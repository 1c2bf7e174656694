"""Several nodes on one PostgreSQL journal: order, no doubles, nothing skipped, whoever is quicker."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from random import Random

import asyncpg
import pytest

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.journals.port import Claimed, Planned, Settlement, Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    ODOO,
    START,
    arrival,
    at,
    delivered,
    delivery,
    due,
    envelope,
    event,
    message,
    received,
    retried,
    unknown,
)  # fmt: skip

pytestmark = pytest.mark.postgres

ONLY = frozenset((DISCHARGED,))


@pytest.fixture
async def nodes(postgres_dsn: str) -> AsyncIterator[list[PostgresJournal]]:
    keyring = Keyring.ephemeral()
    made = [PostgresJournal(postgres_dsn, keyring) for _ in range(3)]
    await asyncio.gather(*(node.open() for node in made))
    yield made
    for node in made:
        await node.close()


async def waiting(watcher: asyncpg.Connection[asyncpg.Record]) -> None:
    """Until some connection to this database waits for an advisory lock."""
    while not await watcher.fetchval(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    ):
        await asyncio.sleep(0.005)


async def test_no_cursor_passes_an_event_that_another_node_commits_later(nodes: list[PostgresJournal], postgres_dsn: str) -> None:
    first, second, reader = nodes
    await reader.enrol(BILL, ONLY)
    early, late = message("early"), message("late")
    await received(first, early, late)
    slow, watcher = await asyncpg.connect(postgres_dsn), await asyncpg.connect(postgres_dsn)
    hold = slow.transaction()
    await hold.start()
    # the first node has its numbers and is about to commit; here it takes its time, with the last lock that a transaction takes
    await slow.execute("LOCK TABLE isthmus.tally IN SHARE MODE")
    one = asyncio.create_task(first.translated([Translated(message_id=early.id, events=(envelope(early, "early"),))], START))
    while not await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE relation = 'isthmus.tally'::regclass AND NOT granted"):
        await asyncio.sleep(0.005)
    other = asyncio.create_task(second.translated([Translated(message_id=late.id, events=(envelope(late, "late"),))], START))
    await waiting(watcher)
    assert not one.done()
    assert not other.done()
    assert list(await reader.upcoming(BILL, 10)) == []
    await hold.rollback()
    await asyncio.gather(one, other)
    seen = await reader.upcoming(BILL, 10)
    assert [one.key for one in seen] == ["early", "late"]
    assert seen[0].seq < seen[1].seq
    await slow.close()
    await watcher.close()


async def test_a_reader_that_follows_three_translators_misses_nothing(nodes: list[PostgresJournal]) -> None:
    await nodes[0].enrol(BILL, ONLY)
    many = [message(f"A{n}") for n in range(240)]
    await received(nodes[0], *many)

    async def translate(node: PostgresJournal, mine: list[int]) -> None:
        for n in mine:
            await node.translated([Translated(message_id=many[n].id, events=(envelope(many[n], f"k{n}"),))], START)

    seen: list[Envelope] = []

    async def follow() -> None:
        while len(seen) < len(many):
            batch = await nodes[0].upcoming(BILL, 50)
            seen.extend(batch)
            if batch:
                await nodes[0].planned(BILL, batch[-1].seq, [], START)

    async with asyncio.timeout(60):
        await asyncio.gather(follow(), *(translate(node, list(range(n, len(many), 3))) for n, node in enumerate(nodes)))
    assert sorted(one.key for one in seen) == sorted(f"k{n}" for n in range(len(many)))
    assert [one.seq for one in seen] == sorted(one.seq for one in seen)


class Sending:
    """What couriers have in hand and what they have sent, by line, as the outside world sees it."""

    def __init__(self, planned: dict[str, list[str]]) -> None:
        self.planned = planned
        self.in_hand: set[str] = set()
        self.sent: defaultdict[str, list[str]] = defaultdict(list)
        self.senders: defaultdict[str, set[str]] = defaultdict(set)
        self.met = 0

    @property
    def over(self) -> bool:
        return sum(len(one) for one in self.sent.values()) == sum(len(one) for one in self.planned.values())

    async def courier(self, node: PostgresJournal, owner: str, random: Random) -> None:
        while not self.over:
            taken = await node.claim(ODOO, 2, at(1000), owner)
            self.met += bool(taken and self.in_hand)
            for one in taken:
                assert one.delivery.ordering_key not in self.in_hand, "two of a line are in hand"
                self.in_hand.add(one.delivery.ordering_key)
            await asyncio.sleep(random.random() / 100)  # what sending takes
            await node.settle([self.send(one, owner, random) for one in taken], owner)

    def send(self, one: Claimed, owner: str, random: Random) -> Settlement:
        delivery_id, line = one.delivery.id, one.delivery.ordering_key
        self.in_hand.remove(line)
        ending = random.choices((delivered(delivery_id), retried(delivery_id, not_before=None), unknown(delivery_id)), (6, 1, 1))[0]
        if ending.state == "delivered":
            self.sent[line].append(one.delivery.key)
            self.senders[line].add(owner)
        return ending


async def test_three_nodes_on_the_same_lines_keep_order_and_double_nothing(nodes: list[PostgresJournal]) -> None:
    """Each node plans, claims and settles on the same few lines at once; outcomes differ; a line's order is the order of its plans."""
    await nodes[0].enrol(BILL, ONLY)
    lines, each = [f"patient/{n}" for n in range(5)], 24
    cause = await event(nodes[0], "A1")
    sending = Sending({line: [f"{line}-{n:03}" for n in range(each)] for line in lines})

    async def plan(first: int, last: int) -> None:
        for turn in range(first, last):
            made = tuple(delivery(cause, sending.planned[line][turn], ordering_key=line) for line in lines)
            await nodes[turn % 3].planned(BILL, 0, [Planned(event_id=cause.id, deliveries=made)], at(turn))

    await plan(0, 8)
    async with asyncio.timeout(90):
        await asyncio.gather(plan(8, each), *(sending.courier(nodes[n % 3], f"node-{n}", Random(n)) for n in range(6)))
    assert sending.sent == sending.planned
    assert sending.met > 5, "the couriers never met"
    assert all(len(owners) > 1 for owners in sending.senders.values()), "each line had a courier of its own"
    assert await nodes[0].next_due(ODOO) is None
    assert {(one.state, one.count) for one in await nodes[0].tallies() if one.noun == "delivery"} == {("delivered", each * len(lines))}


async def test_a_delivery_planned_while_the_last_of_its_line_is_settled_is_not_forgotten(nodes: list[PostgresJournal]) -> None:
    first, second, _ = nodes
    await first.enrol(BILL, ONLY)
    cause = await event(first, "A1")

    async def plan(key: str) -> Delivery:
        made = delivery(cause, key, ordering_key="patient/1")
        await second.planned(BILL, 0, [Planned(event_id=cause.id, deliveries=(made,))], START)
        return made

    current = await plan("k0")
    for n in range(1, 60):
        (taken,) = await first.claim(ODOO, 10, START, "me")
        assert taken.delivery == current
        current, _ = await asyncio.gather(plan(f"k{n}"), first.settle([delivered(taken.delivery.id)], "me"))


async def test_people_and_couriers_do_not_cross(nodes: list[PostgresJournal]) -> None:
    """Reprocess and redeliver while couriers claim: no two of a line in hand, no deadlock, counters that balance."""
    first, second, third = nodes
    made = await due(first, *(f"k{n}" for n in range(12)), line="patient/1")
    story = await first.story(made[0].id)
    assert story is not None
    cause = story.events[0]
    done = asyncio.Event()

    async def courier(node: PostgresJournal, owner: str) -> None:
        while not done.is_set():
            taken = await node.claim(ODOO, 5, at(5000), owner)
            assert len(taken) <= 1
            await node.settle([delivered(one.delivery.id) for one in taken], owner)

    async def people() -> None:
        for turn in range(15):
            new = tuple(delivery(cause, f"k{n}", ordering_key="patient/1", body=f"{turn} {n}".encode()) for n in range(12))
            result = Translated(message_id=story.message.id, events=(cause,))
            await third.reprocess(
                story.message.id, result, {BILL: [Planned(event_id=cause.id, deliveries=new)]}, by="ann", why="why", now=at(turn)
            )
            await third.redeliver([one.id for one in await third.deliveries(state="delivered", limit=3)], "ann", "why", at(turn))
        done.set()

    async with asyncio.timeout(90):
        await asyncio.gather(courier(first, "one"), courier(second, "two"), people())
        while taken := await first.claim(ODOO, 5, at(9000), "one"):
            await first.settle([delivered(one.delivery.id) for one in taken], "one")
    counted = {one.state: one.count for one in await first.tallies() if one.noun == "delivery"}
    assert set(counted) == {"delivered", "superseded"}
    assert counted["delivered"] == 12


async def test_nodes_that_receive_the_same_at_once_keep_it_once(nodes: list[PostgresJournal]) -> None:
    many = [message(f"A{n}") for n in range(200)]

    async def receive(node: PostgresJournal, seed: int) -> int:
        mine = list(many)
        Random(seed).shuffle(mine)
        answers = [await node.receive([arrival(one) for one in mine[n : n + 20]]) for n in range(0, len(mine), 20)]
        assert [one.message_id for batch in answers for one in batch] == [one.id for one in mine]
        return sum(not one.duplicate for batch in answers for one in batch)

    fresh = await asyncio.gather(*(receive(node, n) for n, node in enumerate(nodes)))
    assert sum(fresh) == len(many)
    assert await nodes[0].backlog() == {ADT: len(many)}
    assert {(one.state, one.count) for one in await nodes[1].tallies()} == {("received", 200), ("duplicate", 400)}


async def test_two_translators_of_the_same_messages_make_their_events_once(nodes: list[PostgresJournal]) -> None:
    many = [message(f"A{n}") for n in range(60)]
    await received(nodes[0], *many)
    results = [Translated(message_id=one.id, events=(envelope(one, one.control_id),)) for one in many]
    await asyncio.gather(
        *(node.translated(list(mine), START) for node, mine in zip(nodes, (results, reversed(results), results), strict=True))
    )
    await nodes[0].enrol(BILL, ONLY)
    assert len(await nodes[0].upcoming(BILL, 1000)) == 60
    assert {(one.noun, one.state, one.count) for one in await nodes[1].tallies()} == {("message", "translated", 60), ("event", "kept", 60)}


async def test_an_unknown_event_stops_a_plan_whole(nodes: list[PostgresJournal]) -> None:
    await nodes[0].enrol(BILL, ONLY)
    with pytest.raises(Bug, match="unknown-event"):
        await nodes[0].planned(BILL, 99, [Planned(event_id="nobody knows")], START)
    assert (await nodes[1].positions())[0].cursor == 0
