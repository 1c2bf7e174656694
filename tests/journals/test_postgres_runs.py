"""Runs and the housekeeper: whatever is closed, merged or exchanged meanwhile, what was kept is found, and kept once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import asyncpg
import pytest

from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.journals.port import Planned, Query, Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.postgres.locator import id_entry, prefix_range, token_entry, uuid_of
from isthmus.journals.postgres.runs import TOGETHER, Runs
from isthmus.journals.postgres.store import Store
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    ME,
    ODOO,
    START,
    arrival,
    at,
    claim,
    delivered,
    delivery,
    envelope,
    message,
    received,
)  # fmt: skip

pytestmark = pytest.mark.postgres


@pytest.fixture
async def journals(postgres_dsn: str) -> AsyncIterator[list[PostgresJournal]]:
    """Three nodes whose runs are full after a page, and who look after every hundred messages."""
    keyring = Keyring.ephemeral()
    made = [PostgresJournal(postgres_dsn, keyring, run_bytes=0, housekeeping=100) for _ in range(3)]
    await asyncio.gather(*(one.open() for one in made))
    yield made
    for one in made:
        await one.close()


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def tiers(database: asyncpg.Connection[asyncpg.Record], family: str) -> list[tuple[int, bool]]:
    rows = await database.fetch("SELECT tier, open FROM isthmus.run WHERE family = $1 ORDER BY number", family)
    return [(row["tier"], row["open"]) for row in rows]


async def test_the_same_messages_at_several_nodes_are_kept_once_while_runs_are_closed_and_merged(
    journals: list[PostgresJournal], database: asyncpg.Connection[asyncpg.Record]
) -> None:
    many = [message(f"A{n}") for n in range(3_000)]
    done = asyncio.Event()

    async def receive(node: PostgresJournal, seed: int) -> int:
        mine = many[:]
        Random(seed).shuffle(mine)
        answers = [await node.receive([arrival(one, ("patient", "P")) for one in mine[n : n + 20]]) for n in range(0, len(mine), 20)]
        return sum(not one.duplicate for batch in answers for one in batch)

    async def tidy() -> None:
        store = journals[0]._store
        while not done.is_set():
            await Runs(store, 0).tidy()
            await asyncio.sleep(0.01)

    tidying = asyncio.create_task(tidy())
    async with asyncio.timeout(90):
        fresh = await asyncio.gather(*(receive(node, n) for n, node in enumerate(journals)), *(receive(journals[0], 9) for _ in range(2)))
    done.set()
    await tidying
    assert sum(fresh) == len(many)
    assert await journals[0].backlog() == {ADT: len(many)}
    for family, together in TOGETHER.items():
        found = await tiers(database, family)
        assert max(tier for tier, _ in found) >= 1, "nothing was merged: it means nothing"
        assert sum(still for _, still in found) == 1
        assert all(sum(1 for tier, still in found if tier == n and not still) < together for n in range(9))
    assert len(await journals[1].find(Query(identifier="P", limit=10_000))) == len(many)
    assert await journals[2].message(many[17].id) == many[17]
    assert all(one.duplicate for one in await journals[2].receive([arrival(one) for one in many]))


async def test_everything_is_found_in_whichever_run_it_lies(postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]) -> None:
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral())
    await journal.open()
    store = Store(postgres_dsn, 2, journal._store._seals)
    await store.open()
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    kept: list[Message] = []
    for turn in range(10):
        one = message(f"A{turn}")
        await journal.receive([arrival(one, ("patient", "P"), ("visit", f"V{turn}"))])
        await journal.translated([Translated(message_id=one.id, events=(envelope(one, f"e{turn}"),))], START)
        (cause,) = await journal.upcoming(BILL, 10)
        await journal.planned(BILL, cause.seq, [Planned(event_id=cause.id, deliveries=(delivery(cause, f"k{turn}"),))], START)
        (taken,) = await claim(journal)
        await journal.settle([delivered(taken.delivery.id)], ME)
        kept.append(one)
        await Runs(store, 0).tidy()
    assert [tier for tier, _ in await tiers(database, "locator")] != [0] * 11
    fresh = PostgresJournal(postgres_dsn, journal._store._seals._keyring)
    await fresh.open()
    assert [one.id for one in await fresh.find(Query(identifier="P"))] == [one.id for one in reversed(kept)]
    for turn, one in enumerate(kept):
        assert [found.id for found in await fresh.find(Query(identifier=f"V{turn}"))] == [one.id]
        story = await fresh.story(one.id[:9])
        assert story is not None
        assert [step.stage for step in story.steps] == ["received", "translated", "planned", "attempt", "receipt"]
        for id in (story.events[0].id, story.deliveries[0].id):
            assert (await fresh.story(id)) == story
        assert await fresh.receipt(f"k{turn}", ODOO, Receipt("application", "AA"), at(1))
        assert list(await fresh.redeliver([story.deliveries[0].id], "ann", "why", at(2))) == [story.deliveries[0].id]
    await fresh.close()
    await store.close()
    await journal.close()


async def test_a_run_that_others_are_using_all_the_time_is_left_for_later(
    postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral(), run_bytes=0, housekeeping=1)
    await journal.open()
    hold = database.transaction()
    await hold.start()
    await database.execute("SELECT FROM isthmus.known; INSERT INTO isthmus.known VALUES (1, gen_random_uuid(), 0)")
    await received(journal, message("A1"))
    task = journal._housekeeper._task
    assert task is not None
    await task
    assert await tiers(database, "known") == [(0, True)]
    await hold.rollback()
    await received(journal, message("A2"))
    task = journal._housekeeper._task
    assert task is not None
    await task
    assert await tiers(database, "known") == [(0, False), (0, True)]
    await journal.close()


def test_ids_and_tokens_become_numbers_that_keep_their_order() -> None:
    assert uuid_of("0" * 31 + "f") == "0" * 31 + "f"
    assert len(uuid_of("nobody knows")) == 32
    assert id_entry("8" + "0" * 31).token == -(1 << 63)
    assert id_entry("7" + "f" * 31) == ((1 << 63) - 1, -1)
    assert token_entry(bytes.fromhex("7" + "f" * 31)) == id_entry("7" + "f" * 31)
    for n in range(200):
        id = f"{Random(n).getrandbits(128):032x}"
        found = prefix_range(id[: n % 33])
        assert found.first <= id <= found.last
        assert found.first_token <= id_entry(id).token <= found.last_token or n % 33 == 0
