"""What the PostgreSQL journal survives: lost connections, unheard commits, killed processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from isthmus.core.failure import Bug, Rejected, Transient
from isthmus.journals.port import Accepted, Arrival, Planned, Query, Tally, Translated
from isthmus.journals.postgres import PostgresJournal
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
    due,
    envelope,
    message,
    received,
    stored,
)  # fmt: skip

pytestmark = pytest.mark.postgres


class Wire:
    """A TCP proxy before the server that can be cut: at once, or after the server's next answer, which nobody hears."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.swallow = False
        self.swallowed = 0

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        there, here = await asyncio.open_connection(*self._target)
        self._writers.add(here)
        with suppress(OSError):
            await asyncio.gather(self._asks(reader, here), self._answers(there, writer))
        for one in (writer, here):
            one.close()
            self._writers.discard(one)

    async def _asks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self.swallow and data.endswith(b"Z\x00\x00\x00\x05I"):  # ReadyForQuery, idle: the server has committed
                self.swallowed += 1
                self.swallow = False
                self.cut()
                return
            writer.write(data)
        writer.close()


@pytest.fixture
async def wire(postgres_dsn: str) -> AsyncIterator[tuple[Wire, str]]:
    """The proxy, and the DSN that leads through it."""
    parts = urlsplit(postgres_dsn)
    wire = Wire(parts.hostname or "", parts.port or 0)
    port = await wire.start()
    yield wire, parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl() + "?sslmode=disable"
    await wire.stop()


@pytest.fixture
async def journal(wire: tuple[Wire, str]) -> AsyncIterator[PostgresJournal]:
    made = PostgresJournal(wire[1], Keyring.ephemeral())
    await made.open()
    yield made
    await made.close()


async def test_a_lost_connection_is_transient_and_comes_back_by_itself(journal: PostgresJournal, wire: tuple[Wire, str]) -> None:
    await received(journal, message("A1"))
    wire[0].cut()
    with suppress(Transient):  # it may have noticed meanwhile and connected anew
        await received(journal, message("A2"))
    await received(journal, message("A2"))
    assert [one.control_id for one in await journal.untranslated(10)] == ["A1", "A2"]


async def test_a_server_that_is_gone_is_transient_and_says_so(journal: PostgresJournal, wire: tuple[Wire, str]) -> None:
    await wire[0].stop()
    with suppress(Transient):
        await journal.backlog()  # on a connection whose end was not noticed yet
    with pytest.raises(Transient, match="journal-unreachable"):
        await journal.backlog()


async def test_receiving_again_after_an_unheard_commit_keeps_one_and_gives_the_same_ack(
    journal: PostgresJournal, wire: tuple[Wire, str]
) -> None:
    one = message("A1")
    await received(journal, message("before"))  # prepares the statement, whose answer is not the one to swallow
    wire[0].swallow = True
    with pytest.raises(Transient, match="journal-unreachable"):
        await journal.receive([arrival(one)])
    assert wire[0].swallowed == 1
    assert list(await journal.receive([arrival(one)])) == [Accepted(one.id, b"MSA|AA|A1", duplicate=True)]
    assert await journal.backlog() == {ADT: 2}


async def test_a_claim_that_nobody_heard_of_is_given_back_unsent(journal: PostgresJournal, wire: tuple[Wire, str]) -> None:
    await due(journal, "k1", "k2")
    assert list(await claim(journal, now=at(-1))) == []  # prepares the statement, whose answer is not the one to swallow
    wire[0].swallow = True
    with pytest.raises(Transient, match="journal-unreachable"):
        await claim(journal)
    assert wire[0].swallowed == 1
    assert list(await journal.owners()) == [ME], "the claim was committed"
    again = await claim(journal)
    assert [(one.delivery.key, one.attempt, one.unknown) for one in again] == [("k1", 1, False), ("k2", 1, False)]
    assert {(one.state, one.count) for one in await journal.tallies() if one.noun == "delivery"} == {("sending", 2)}


async def test_a_cancelled_claim_is_given_back(journal: PostgresJournal) -> None:
    await due(journal, "k1")
    for wait in range(40):
        task = asyncio.create_task(journal.claim(ODOO, 10, START, ME))
        for _ in range(wait):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            if taken := await task:
                await journal.release(ME, START)
                assert len(taken) == 1
                break
    (taken_at_last,) = await claim(journal)
    assert taken_at_last.delivery.key == "k1"


async def test_settling_again_after_an_unheard_commit_settles_once(journal: PostgresJournal, wire: tuple[Wire, str]) -> None:
    first, _ = await due(journal, "k1", "k2", line="patient/1")
    await claim(journal)
    wire[0].swallow = True
    settlement = delivered(first.id)
    with pytest.raises(Transient):
        # the first idle answer is the commit's: until then the connection is within the transaction
        await journal.settle([settlement], ME)
    assert wire[0].swallowed == 1
    await journal.settle([settlement], ME)
    assert (await stored(journal, first.id)).state == "delivered"
    assert [one.delivery.key for one in await claim(journal)] == ["k2"]
    counted = {(one.noun, one.state): one.count for one in await journal.tallies() if one.noun in ("attempt", "delivery")}
    assert counted == {("attempt", "delivered"): 1, ("attempt", "too-late"): 1, ("delivery", "delivered"): 1, ("delivery", "sending"): 1}


async def test_translating_and_planning_again_after_an_unheard_commit_changes_nothing(
    journal: PostgresJournal, wire: tuple[Wire, str]
) -> None:
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    one = message("A1")
    await received(journal, one)
    result = Translated(message_id=one.id, events=(envelope(one, "k"),))
    wire[0].swallow = True
    with pytest.raises(Transient):
        await journal.translated([result], START)
    await journal.translated([result], START)
    (kept,) = await journal.upcoming(BILL, 10)
    plan = Planned(event_id=kept.id, deliveries=(delivery(kept, "inv-1"),))
    wire[0].swallow = True
    with pytest.raises(Transient):
        await journal.planned(BILL, kept.seq, [plan], START)
    await journal.planned(BILL, kept.seq, [plan], START)
    assert wire[0].swallowed == 2
    assert {(one.noun, one.state, one.count) for one in await journal.tallies()} == {
        ("message", "translated", 1), ("event", "kept", 1), ("delivery", "due", 1),
    }  # fmt: skip


class Killed:
    """A journal whose connections an administrator keeps terminating; each caller just asks again."""

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        self.hurt = 0
        self.made = 0
        self.counted: Sequence[Tally] = ()

    async def insist(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except Transient:
                self.hurt += 1

    async def receive(self) -> None:
        batch = [arrival(message(f"A{self.made + n}")) for n in range(3)]
        self.made += 3
        await self.insist(lambda: self.keep(batch))

    async def keep(self, batch: list[Arrival]) -> None:
        await self.journal.receive(batch)

    async def translate(self) -> None:
        results = [Translated(message_id=one.id, events=(envelope(one, one.control_id),)) for one in await self.journal.untranslated(10)]
        await self.journal.translated(results, START)

    async def plan(self) -> None:
        if events := await self.journal.upcoming(BILL, 10):
            plans = [Planned(event_id=one.id, deliveries=(delivery(one, one.key, ordering_key=one.key[-1]),)) for one in events]
            await self.journal.planned(BILL, events[-1].seq, plans, START)

    async def send(self) -> None:
        taken = await claim(self.journal, limit=10)
        await self.insist(lambda: self.journal.settle([delivered(one.delivery.id) for one in taken], ME))

    async def count(self) -> None:
        self.counted = await self.journal.tallies()

    @property
    def delivered(self) -> int:
        return sum(one.count for one in self.counted if (one.noun, one.state) == ("delivery", "delivered"))

    async def go_on(self, more: Callable[[], bool]) -> None:
        """Every stage in turn, with new messages while there are to be more, until all are delivered."""
        while more() or self.delivered < self.made:
            for work in (self.receive,) * more() + (self.translate, self.plan, self.send, self.count):
                await self.insist(work)


async def test_backends_terminated_in_the_middle_of_everything(postgres_dsn: str) -> None:
    journal = PostgresJournal(postgres_dsn, Keyring.ephemeral())
    await journal.open()
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    killer = await asyncpg.connect(postgres_dsn)
    killed = Killed(journal)

    async def kill() -> None:
        while True:
            await killer.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'isthmus' AND state <> 'idle'"
            )
            await asyncio.sleep(0.06)  # time for a new connection to come some way

    killing = asyncio.create_task(kill())
    async with asyncio.timeout(60):
        await asyncio.gather(*(killed.go_on(lambda: killed.hurt < 6) for _ in range(3)))
    killing.cancel()
    with suppress(asyncio.CancelledError):
        await killing
    await killed.insist(killed.count)
    assert killed.hurt >= 6
    kept = {(one.noun, one.state): one.count for one in killed.counted if one.noun in ("message", "event", "delivery")}
    assert {key: count for key, count in kept.items() if key != ("message", "duplicate")} == dict.fromkeys(
        (("message", "translated"), ("event", "kept"), ("delivery", "delivered")), killed.made
    )
    await journal.close()
    await killer.close()


RECEIVER = """
import asyncio, sys
from pathlib import Path
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import arrival, message

async def main(dsn, ring):
    journal = PostgresJournal(dsn, Keyring.load_or_create(Path(ring)))
    await journal.open()
    async def connection(name):
        n = 0
        while True:
            batch = [message(f"{name}-{n + k}", body=f"{name}-{n + k} ".encode() * 200) for k in range(5)]
            for one in await journal.receive([arrival(one) for one in batch]):
                print(one.message_id, flush=True)
            n += 5
    await asyncio.gather(*(connection(f"C{n}") for n in range(4)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_killed_while_receiving_loses_nothing_that_it_acknowledged(postgres_dsn: str, tmp_path: Path) -> None:
    keyring = Keyring.load_or_create(tmp_path / "keyring.json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RECEIVER, postgres_dsn, str(tmp_path / "keyring.json"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = [(await process.stdout.readline()).decode().strip() for _ in range(300)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [line.decode().strip() for line in (await process.stdout.read()).splitlines(keepends=True) if line.endswith(b"\n")]
    await process.wait()
    journal = PostgresJournal(postgres_dsn, keyring)
    await journal.open()
    kept = {one.id: one for one in await journal.untranslated(100_000)}
    assert set(acknowledged) <= set(kept)
    assert all(len(one.body) > 800 for one in kept.values())
    assert await journal.backlog() == {ADT: len(kept)}
    assert len(await journal.find(Query(limit=100_000))) == len(kept)
    await journal.close()


async def test_what_a_killed_courier_had_in_hand_is_unknown_and_its_line_waits_for_the_check(postgres_dsn: str, tmp_path: Path) -> None:
    keyring = Keyring.load_or_create(tmp_path / "keyring.json")
    journal = PostgresJournal(postgres_dsn, keyring)
    await journal.open()
    first, second = await due(journal, "k1", "k2", line="patient/1")
    courier = """
        import asyncio, sys
        from pathlib import Path
        from isthmus.journals.postgres import PostgresJournal
        from isthmus.journals.sealing import Keyring
        from isthmus.journals.suite.samples import ODOO, START

        async def main(dsn, ring):
            journal = PostgresJournal(dsn, Keyring.load_or_create(Path(ring)))
            await journal.open()
            print([one.delivery.key for one in await journal.claim(ODOO, 10, START, "gone")], flush=True)
            await asyncio.Event().wait()

        asyncio.run(main(*sys.argv[1:]))
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(courier), postgres_dsn, str(tmp_path / "keyring.json"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"['k1']"
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert list(await claim(journal)) == []
    assert list(await journal.owners()) == ["gone"]
    assert await journal.release("gone", at(5)) == 1
    (checked,) = await claim(journal, now=at(5))
    assert (checked.delivery, checked.unknown, checked.attempt) == (first, True, 2)
    await journal.settle([delivered(first.id)], ME)
    assert [one.delivery for one in await claim(journal, now=at(5))] == [second]
    await journal.close()


async def test_a_wrong_address_is_told_with_its_cure(postgres_dsn: str) -> None:
    keyring = Keyring.ephemeral()
    with pytest.raises(Rejected, match="journal-database"):
        await PostgresJournal(postgres_dsn + "_not", keyring).open()
    with pytest.raises(Transient, match="journal-unreachable"):
        await PostgresJournal("postgresql://isthmus@127.0.0.1:1/nowhere", keyring).open()
    with pytest.raises(Bug, match="journal-closed"):
        await PostgresJournal(postgres_dsn, keyring).backlog()
