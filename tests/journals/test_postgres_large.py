"""Large messages in PostgreSQL: kept in pieces, read by the piece, kept once, and gone when pruned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from isthmus.core.failure import Rejected
from isthmus.core.message import Message
from isthmus.journals.port import Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.sealing.chunks import CHUNK
from isthmus.journals.suite.samples import ADT, START, arrival, at, message, received

pytestmark = pytest.mark.postgres


def large(control_id: str) -> Message:
    return message(control_id, body=b"".join(b"%08d" % n for n in range(CHUNK * 5 // 16)))  # two chunks and a half


@pytest.fixture
async def nodes(postgres_dsn: str) -> AsyncIterator[list[PostgresJournal]]:
    keyring = Keyring.ephemeral()
    made = [PostgresJournal(postgres_dsn, keyring) for _ in range(2)]
    await asyncio.gather(*(node.open() for node in made))
    yield made
    for node in made:
        await node.close()


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def test_a_large_message_among_small_ones_is_whole_and_in_its_place(nodes: list[PostgresJournal]) -> None:
    journal = nodes[0]
    many = [message("A1"), large("A2"), message("A3")]
    assert [one.message_id for one in await journal.receive([arrival(one) for one in many])] == [one.id for one in many]
    assert sorted(one.id for one in await journal.untranslated(10)) == sorted(one.id for one in many)
    assert await journal.message(many[1].id) == many[1]


async def test_a_piece_is_read_without_the_others(nodes: list[PostgresJournal], database: asyncpg.Connection[asyncpg.Record]) -> None:
    journal, one = nodes[0], large("A1")
    await received(journal, one)
    rows = await database.fetch("SELECT number, seq FROM isthmus.piece ORDER BY number")
    assert [row["number"] for row in rows] == [0, 1, 2]
    await database.execute("UPDATE isthmus.body SET sealed = 'damaged' WHERE seq = ANY ($1)", [rows[0]["seq"], rows[2]["seq"]])
    assert await journal.piece(one.id, CHUNK + 10, 1000) == one.body[CHUNK + 10 : CHUNK + 1010]
    with pytest.raises(Rejected):
        await journal.piece(one.id, CHUNK - 10, 20)
    with pytest.raises(Rejected):
        await journal.message(one.id)


async def test_pieces_that_change_places_do_not_open(nodes: list[PostgresJournal], database: asyncpg.Connection[asyncpg.Record]) -> None:
    journal, one = nodes[0], large("A1")
    await received(journal, one)
    await database.execute("UPDATE isthmus.piece SET number = 9 WHERE number = 0")
    await database.execute("UPDATE isthmus.piece SET number = 0 WHERE number = 1")
    with pytest.raises(Rejected, match="sealed-damaged"):
        await journal.piece(one.id, 0, 10)


async def test_two_nodes_that_receive_the_same_keep_its_pieces_once(
    nodes: list[PostgresJournal], database: asyncpg.Connection[asyncpg.Record]
) -> None:
    one = large("A1")
    answers = [kept for batch in await asyncio.gather(*(node.receive([arrival(one)]) for node in nodes * 2)) for kept in batch]
    assert sorted(kept.duplicate for kept in answers) == [False, True, True, True]
    assert {kept.ack for kept in answers} == {b"MSA|AA|A1"}
    assert await database.fetchval("SELECT count(*) FROM isthmus.body") == 3
    assert await nodes[0].message(one.id) == one


async def test_what_is_pruned_leaves_no_piece(nodes: list[PostgresJournal], database: asyncpg.Connection[asyncpg.Record]) -> None:
    journal, one = nodes[0], large("A1")
    await received(journal, one)
    await journal.translated([Translated(message_id=one.id)], START)
    pruned = await journal.prune(ADT, at(1), at(2))
    assert (pruned.messages, pruned.bytes_freed > len(one.body)) == (1, True)
    kept = await journal.message(one.id)
    assert kept is not None
    assert kept.body == b""
    assert await journal.piece(one.id, 0, 10) == b""
    assert await database.fetchval("SELECT count(*) FROM isthmus.piece") == 0
    assert await database.fetchval("SELECT count(*) FROM isthmus.body") == 0
