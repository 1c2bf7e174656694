"""How the PostgreSQL journal lies in its database: migrations, seals, shelves, indexes; and what it says without asyncpg."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from isthmus.core.contract import Violation
from isthmus.core.failure import Rejected
from isthmus.core.lookup import Answer
from isthmus.core.outcome import Receipt
from isthmus.journals.port import Arrival, Planned, Query, Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.postgres.schema import migrations
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    ME,
    ODOO,
    START,
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
async def database(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def test_nodes_that_start_together_migrate_once(postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]) -> None:
    keyring = Keyring.ephemeral()
    nodes = [PostgresJournal(postgres_dsn, keyring) for _ in range(6)]
    await asyncio.gather(*(node.open() for node in nodes))
    await asyncio.gather(*(received(node, message(f"A{n}")) for n, node in enumerate(nodes)))
    assert await nodes[0].backlog() == {ADT: 6}
    for node in nodes:
        await node.close()
    assert [row["number"] for row in await database.fetch("SELECT number FROM isthmus.migration ORDER BY number")] == [
        number for number, _ in migrations()
    ]


async def test_a_newer_journal_is_refused(postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]) -> None:
    keyring = Keyring.ephemeral()
    first = PostgresJournal(postgres_dsn, keyring)
    await first.open()
    await first.close()
    await database.execute("INSERT INTO isthmus.migration (number) VALUES (999)")
    with pytest.raises(Rejected, match=r"journal-newer.*newer program"):
        await PostgresJournal(postgres_dsn, keyring).open()


async def test_a_journal_of_another_ring_is_refused(postgres_dsn: str) -> None:
    first = PostgresJournal(postgres_dsn, Keyring.ephemeral())
    await first.open()
    await first.close()
    with pytest.raises(Rejected, match="journal-other-ring"):
        await PostgresJournal(postgres_dsn, Keyring.ephemeral()).open()


async def test_nothing_that_identifies_lies_readable_in_the_database(
    postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral())
    await journal.open()
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    one = message("SECRET-control", body=b"SECRET-body", kind="SECRET-kind")
    await journal.receive([Arrival(message=one, state="received", identifiers=(("patient", "SECRET-patient"),), ack=b"SECRET-ack")])
    cause = envelope(one, "SECRET-key", ordering_key="SECRET-line", body=b"SECRET-event")
    await journal.translated([Translated(message_id=one.id, events=(cause,), identifiers=(("order", "SECRET-order"),))], START)
    (kept,) = await journal.upcoming(BILL, 1)
    mine = delivery(cause, "SECRET-business", ordering_key="SECRET-line", body=b"SECRET-delivery")
    answers = (Answer("l1", ODOO, "payer", b"SECRET-answer"),)
    await journal.planned(BILL, kept.seq, [Planned(event_id=kept.id, deliveries=(mine,), answers=answers)], START)
    await claim(journal)
    await journal.settle([delivered(mine.id, receipts=(Receipt("business", "posted", "SECRET-reference"),))], ME)
    await journal.redeliver([mine.id], "ann", "SECRET-why", at(1))
    await journal.stop(BILL, "exception", "SECRET-detail", at(1))
    assert [found.control_id for found in await journal.find(Query(identifier="SECRET-patient"))] == ["SECRET-control"]
    assert (await journal.find(Query(kind="SECRET-kind")))[0].id == one.id
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'isthmus'")
    rows = [row for (table,) in tables for row in await database.fetch(f"SELECT * FROM isthmus.{table}")]  # noqa: S608 - its own names
    assert len(rows) > 20
    for row in rows:
        assert not any(b"SECRET" in (value if isinstance(value, bytes) else str(value).encode()) for value in row.values())
    await journal.close()


async def test_a_sealed_column_moved_to_another_row_does_not_open(postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]) -> None:
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral())
    await journal.open()
    one, two = message("A1", body=b"one"), message("A2", body=b"two")
    await received(journal, one, two)
    await database.execute("UPDATE isthmus.body SET sealed = (SELECT sealed FROM isthmus.body ORDER BY seq LIMIT 1)")
    assert await journal.message(one.id) == one
    with pytest.raises(Rejected, match="sealed-damaged"):
        await journal.message(two.id)
    await journal.close()


async def test_old_shelves_are_rewritten_and_dropped_so_that_space_goes_back(
    postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral(), shelf_bytes=2_000_000)
    await journal.open()

    async def keep(name: str, count: int, age: int) -> None:
        many = [message(f"{name}{n}", body=bytes(f"{name}{n}", "ascii") * 10_000, received=at(age)) for n in range(count)]
        await received(journal, *many)
        await journal.translated([Translated(message_id=one.id) for one in many], START)

    async def shelves() -> list[int]:
        return [row["number"] for row in await database.fetch("SELECT number FROM isthmus.shelf ORDER BY number")]

    await keep("a", 100, 0)
    await keep("b", 40, 10)
    await journal.prune(ADT, at(-1), at(20))
    assert await shelves() == [1, 2], "the first had grown too large"
    await keep("c", 100, 20)
    full = await journal.size()
    assert (await journal.prune(ADT, at(5), at(30))).messages == 100
    assert await shelves() == [1, 2, 3]
    rewritten = await journal.size()
    assert rewritten < full - 1_000_000
    kept = await journal.find(Query(limit=1000))
    bodies = [await journal.message(one.id) for one in kept]
    assert sum(bool(one and one.body) for one in bodies) == 140
    assert (await journal.prune(ADT, at(15), at(30))).messages == 40
    await keep("d", 10, 40)
    assert (await journal.prune(ADT, at(15), at(30))).messages == 0
    assert await shelves() == [2, 3], "the first had become empty"
    assert await journal.size() < rewritten
    assert len(await journal.find(Query(limit=1000))) == 250
    assert await database.fetchval("SELECT count(*) FROM isthmus.body") == 110
    await journal.close()


async def test_what_finishes_late_is_pruned_late(postgres_dsn: str) -> None:
    """The pruner passes what is not finished and comes back to it."""
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral())
    await journal.open()
    many = [message(f"A{n}") for n in range(6)]
    await received(journal, *many)
    await journal.translated([Translated(message_id=one.id) for one in many[1::2]], START)
    assert (await journal.prune(ADT, at(1), at(2))).messages == 3
    assert (await journal.prune(ADT, at(1), at(2))).messages == 0
    await journal.translated([Translated(message_id=one.id) for one in many[::2]], START)
    assert [(await journal.prune(ADT, at(1), at(2), limit=2)).messages for _ in range(3)] == [2, 1, 0]
    await journal.close()


async def test_no_query_of_the_daily_work_scans_a_table_that_grows(postgres_dsn: str, database: asyncpg.Connection[asyncpg.Record]) -> None:
    """The journal's connections may not scan where there is an index; where a scan happens all the same, an index is missing."""
    keyring = Keyring.ephemeral()
    journal = PostgresJournal(postgres_dsn, keyring)
    await journal.open()
    await journal.close()
    before = await scans(database)  # making an index scans its table
    await journal.open()
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    many = [message(f"A{n}") for n in range(300)]
    await journal.receive(
        [
            Arrival(message=one, state="received", identifiers=(("patient", "P"),), violations=(Violation("PID-3", "r", "c", "warning"),))
            for one in many
        ]
    )
    await journal.translated(
        [Translated(message_id=one.id, events=(envelope(one, "k"),)) for one in await journal.untranslated(200)], START
    )
    events = await journal.upcoming(BILL, 150)
    plans = [Planned(event_id=one.id, deliveries=(delivery(one, "k", ordering_key=f"patient/{n % 40}"),)) for n, one in enumerate(events)]
    await journal.planned(BILL, events[-1].seq, plans, START)
    taken = await journal.claim(ODOO, 30, START, ME)
    await journal.settle([delivered(one.delivery.id) for one in taken], ME)
    await journal.next_due(ODOO)
    await journal.receipt("k", ODOO, Receipt("application", "AA"), START)
    for query in (Query(identifier="P"), Query(interface=ADT), Query(state="received"), Query(state="failed"), Query()):
        await journal.find(query)
    await journal.story(many[0].id[:8])
    await journal.deliveries(state="dead")
    await journal.redeliver([taken[0].delivery.id], "ann", "why", START)
    await journal.prune(ADT, at(1), at(1))
    await journal.close()
    after = await scans(database)
    assert after["message"][1] > before["message"][1] + 100, "nothing was counted"
    grown = {name for name in before if after[name][0] > before[name][0]}
    assert grown <= {"shelf", "subscription", "tally", "pruned", "spared", "sending", "ring", "migration"}


async def scans(database: asyncpg.Connection[asyncpg.Record]) -> dict[str, tuple[int, int]]:
    """Sequential and index scans by table, once the journal's backends have ended (they report their numbers then)."""
    async with asyncio.timeout(10):
        while await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'isthmus' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)
    rows = await database.fetch("SELECT relname, seq_scan, coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE schemaname = 'isthmus'")
    return {name: (sequential, by_index) for name, sequential, by_index in rows}


def test_without_asyncpg_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['asyncpg'] = None; import isthmus.journals.postgres"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "asyncpg-missing" in done.stderr
    assert "pip install 'isthmus[postgres]'" in done.stderr
