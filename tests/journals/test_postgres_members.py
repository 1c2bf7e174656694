"""Nodes that share a PostgreSQL journal, beside what the suite asks of any: races at the row, a lost bell, a paused process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest

from isthmus.core.failure import Transient
from isthmus.journals.nodes import Members
from isthmus.journals.port import Journal
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import ME, START, claim, delivered, due, stored

pytestmark = pytest.mark.postgres

ANN, BEN = "ann:1", "ben:1"
LONG, SHORT = 60.0, 0.05
T = TypeVar("T")


@pytest.fixture
async def nodes(postgres_dsn: str) -> AsyncIterator[list[PostgresJournal]]:
    keyring = Keyring.ephemeral()
    made = [PostgresJournal(postgres_dsn, keyring) for _ in range(2)]
    await asyncio.gather(*(node.open() for node in made))
    yield made
    for node in made:
        await node.close()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


def test_it_has_the_whole_port() -> None:
    def takes(_journal: Journal, _members: Members) -> None: ...

    journal = PostgresJournal("postgresql://nowhere", Keyring.ephemeral())
    takes(journal, journal)  # what the type checkers look at


async def _after(milliseconds: int, work: Awaitable[T]) -> T:
    await asyncio.sleep(milliseconds / 1000)
    return await work


async def test_a_beat_and_a_burial_at_once_end_in_one_of_the_two(nodes: list[PostgresJournal]) -> None:
    """Whoever is first: the node lives and keeps its claim, or it is buried and its claim is released. Both happen."""
    ann, ben = nodes
    ended: set[bool] = set()
    for turn in range(200):
        node = f"ann:{turn}"
        await ann.join(node, 0.0)
        (mine,) = await due(ann, f"k{turn}")
        await claim(ann, owner=f"{node}/odoo")
        alive, buried = await asyncio.gather(_after(turn % 8, ann.beat(node, LONG)), ben.bury(START))
        assert (alive is None) == bool(buried)
        assert (await stored(ben, mine.id)).state == ("unknown" if buried else "sending")
        ended.add(bool(buried))
        await ann.leave(node, START)
        await ann.settle([delivered(one.delivery.id) for one in await claim(ann)], ME)
        if turn > 20 and len(ended) == 2:
            break
    assert ended == {True, False}, "they never met"


async def test_a_beat_waits_for_the_burial_that_is_being_committed(nodes: list[PostgresJournal], postgres_dsn: str) -> None:
    ann, _ = nodes
    await ann.join(ANN, SHORT)
    gravedigger, watcher = await asyncpg.connect(postgres_dsn), await asyncpg.connect(postgres_dsn)
    burial = gravedigger.transaction()
    await burial.start()
    await gravedigger.execute("UPDATE isthmus.node SET lease_until = NULL")
    beat = asyncio.create_task(ann.beat(ANN, LONG))
    while not await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        await asyncio.sleep(0.005)
    assert not beat.done()
    await burial.commit()
    assert await beat is None
    await gravedigger.close()
    await watcher.close()


async def test_the_bell_hangs_again_after_its_connection_was_lost(nodes: list[PostgresJournal], postgres_dsn: str) -> None:
    ann, ben = nodes
    heard: list[str] = []
    await ben.listen(heard.append)
    administrator = await asyncpg.connect(postgres_dsn)
    listening = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'isthmus' AND query LIKE 'LISTEN%'"
    (before,) = await administrator.fetch(f"SELECT pid, pg_terminate_backend(pid) {listening}")
    async with asyncio.timeout(20):
        while not await administrator.fetchval(f"SELECT count(*) {listening} AND pid <> $1", before["pid"]):
            await asyncio.sleep(0.05)
    await ann.ring({"again"})
    await until(lambda: heard == ["again"])
    await administrator.close()


async def test_listening_where_nobody_answers_is_transient() -> None:
    gone = PostgresJournal("postgresql://isthmus@127.0.0.1:1/nowhere", Keyring.ephemeral())
    with pytest.raises(Transient, match="journal-unreachable"):
        await gone.listen(lambda _: None)


NODE = """
import asyncio, sys
from pathlib import Path
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import ME, START, claim, delivered

async def main(dsn, ring, node):
    journal = PostgresJournal(dsn, Keyring.load_or_create(Path(ring)))
    await journal.open()
    await journal.join(node, 0.5)
    taken = await claim(journal, limit=1, owner=f"{node}/odoo")
    print("claimed", flush=True)
    while await journal.beat(node, 0.5) is not None:
        await asyncio.sleep(0.05)
    await journal.settle([delivered(one.delivery.id) for one in taken], f"{node}/odoo")
    print("buried", flush=True)
    await journal.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_that_was_paused_past_its_lease_finds_itself_buried(postgres_dsn: str, tmp_path: Path) -> None:
    ring = tmp_path / "keyring.json"
    journal = PostgresJournal(postgres_dsn, Keyring.load_or_create(ring))
    await journal.open()
    await journal.join(BEN, LONG)
    (mine,) = await due(journal, "k1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", NODE, postgres_dsn, str(ring), "paused:1", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"claimed\n"
    assert "paused:1" in (await journal.beat(BEN, LONG) or ())
    assert await journal.bury(START) == {}, "while it beats nobody buries it"
    os.kill(process.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):
            while not (buried := await journal.bury(START)):
                await asyncio.sleep(0.02)
        assert buried == {"paused:1/odoo": 1}
        (again,) = await claim(journal, owner=f"{BEN}/odoo")
        assert (again.delivery, again.unknown) == (mine, True)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert await process.stdout.readline() == b"buried\n"
    assert await process.wait() == 0
    assert (await stored(journal, mine.id)).state == "sending", "what it settled late changed nothing"
    await journal.close()
