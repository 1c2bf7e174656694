"""Failover with real servers: the primary is killed under load and its standby promoted; the journal goes on by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import pytest
from real.standby import Pair, pair

from isthmus.core.failure import Transient
from isthmus.journals.port import Planned, Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite.samples import BILL, DISCHARGED, ODOO, START, arrival, at, delivered, delivery, envelope, message

__all__ = ["pair"]

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    # asyncpg leaves a connection to the collector whose server dies while it is asked whether it takes writes
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
T = TypeVar("T")

OWNER = "node-1/courier"


class Load:
    """A node's loops on one journal, each asking again when the database is away; and the target that counts what it is sent."""

    def __init__(self, journal: PostgresJournal) -> None:
        self.journal = journal
        self.acknowledged: list[str] = []
        self.hurt = 0
        self.sent: Counter[str] = Counter()
        self.unsure: set[str] = set()
        """Checked before they were sent again, as a courier does."""
        self.enough = asyncio.Event()

    async def receive(self, name: str) -> None:
        n = 0
        while not self.enough.is_set():
            batch = [message(f"{name}-{n}-{k}") for k in range(8)]
            with suppress(Transient):
                answers = await self._ask(self.journal.receive([arrival(one) for one in batch]))
                self.acknowledged += [one.message_id for one in answers]
                n += 1

    async def work(self) -> None:
        while not (self.enough.is_set() and len(self.sent) >= len(set(self.acknowledged))):
            with suppress(Transient):
                await self._ask(self._turn())

    async def _turn(self) -> None:
        journal = self.journal
        waiting = await journal.untranslated(100)
        await journal.translated([Translated(message_id=one.id, events=(envelope(one, one.control_id),)) for one in waiting], START)
        if events := await journal.upcoming(BILL, 100):
            line = [one.key.rpartition("-")[2] for one in events]
            plans = [
                Planned(event_id=one.id, deliveries=(delivery(one, one.key, ordering_key=f"patient/{of}"),))
                for one, of in zip(events, line, strict=True)
            ]
            await journal.planned(BILL, events[-1].seq, plans, START)
        taken = await journal.claim(ODOO, 100, at(1), OWNER)
        for one in taken:
            if one.unknown and self.sent[one.delivery.key]:
                self.unsure.add(one.delivery.key)
            else:
                self.sent[one.delivery.key] += 1
        while taken:  # what was sent is settled, however often that has to be asked
            with suppress(Transient):
                await self._ask(journal.settle([delivered(one.delivery.id) for one in taken], OWNER))
                break

    async def _ask(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except Transient:
            self.hurt += 1
            await asyncio.sleep(0.05)
            raise


async def begin(pair: Pair) -> tuple[PostgresJournal, Load]:
    journal = PostgresJournal(pair.dsn, Keyring.ephemeral())
    await journal.open()
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    return journal, Load(journal)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.01)


async def test_what_was_acknowledged_is_on_the_standby_and_the_node_goes_on_by_itself(pair: Pair) -> None:
    journal, load = await begin(pair)
    pair.synchronous()
    pair.pause_sending()
    held = asyncio.create_task(journal.receive([arrival(message("held"))]))
    done, _ = await asyncio.wait([held], timeout=0.5)
    assert not done, "a commit did not wait for the standby: nothing here would be proven"
    pair.go_on_sending()
    load.acknowledged += [one.message_id for one in await held]
    loops = [asyncio.create_task(load.receive(f"C{n}")) for n in range(3)] + [asyncio.create_task(load.work())]
    await until(lambda: len(load.acknowledged) > 400 and sum(load.sent.values()) > 100)
    pair.kill_primary()
    await until(lambda: load.hurt > 3)
    await asyncio.to_thread(pair.promote)
    promoted = len(load.acknowledged)
    await until(lambda: len(load.acknowledged) > promoted + 200)
    load.enough.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*loops)
    assert len(set(load.acknowledged)) == len(load.acknowledged), "each of them was answered once"
    for one in load.acknowledged:
        assert await journal.message(one) is not None
    found = {(one.noun, one.state): one.count for one in await journal.tallies() if one.noun in ("message", "delivery")}
    assert found["message", "translated"] == found["delivery", "delivered"] >= len(load.acknowledged)
    assert set(load.sent.values()) == {1}, "something was sent twice"
    await journal.close()


async def test_an_asynchronous_standby_lacks_what_was_acknowledged_last(pair: Pair) -> None:
    """Why the manual asks for a synchronous one: shown, so that nobody has to believe it."""
    journal, load = await begin(pair)
    await load.journal.receive([arrival(message("early"))])
    await asyncio.to_thread(pair.caught_up)
    pair.pause_sending()
    (late,) = await journal.receive([arrival(message("late"))])
    assert not late.duplicate
    pair.kill_primary()
    await asyncio.to_thread(pair.promote)

    async def kept(control_id: str) -> bool | None:
        with suppress(Transient):
            return await journal.message(message(control_id).id) is not None
        return None

    async with asyncio.timeout(20):
        while (early := await kept("early")) is None:
            await asyncio.sleep(0.05)
    assert early
    assert await kept("late") is False
    await journal.close()
