# ruff: noqa: INP001, T201 - a script that prints
"""What the journal costs: microseconds of CPU a message and stage, commits, with every commit on the disk.

    python bench/journal.py [--messages 20000] [--batch 200] [--fill 0] [--folder DIR]

``--fill`` keeps that many finished messages first, to see whether the cost stays flat.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.ids import derive_id
from isthmus.core.message import Message
from isthmus.core.outcome import Delivered, Receipt
from isthmus.journals.port import Arrival, Planned, Settlement, Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal

START = datetime(2026, 3, 2, tzinfo=UTC)
PATIENTS = 5_000
BODY, EVENT, DELIVERY = 1_450, 300, 400
OWNER = "bench"


class Stage(Struct):
    name: str
    seconds: float = 0.0
    cpu: float = 0.0
    commits: int = 0


class Bench:
    def __init__(self, journal: SqliteJournal, batch: int) -> None:
        self.journal = journal
        self.batch = batch
        self.stages: dict[str, Stage] = {}
        self.made = 0
        self.filler = os.urandom(BODY).hex().encode()[:BODY]

    @asynccontextmanager
    async def measured(self, name: str) -> AsyncIterator[None]:
        stage = self.stages.setdefault(name, Stage(name))
        wall, cpu, commits = time.perf_counter(), time.process_time(), self.journal.commits
        yield
        stage.seconds += time.perf_counter() - wall
        stage.cpu += time.process_time() - cpu
        stage.commits += self.journal.commits - commits

    def arrival(self) -> Arrival:
        self.made += 1
        number = str(self.made)
        body = b"MSH|^~\\&|EHR|HOSP|||20260302||ADT^A01|" + number.encode() + b"\r" + self.filler
        message_id = derive_id("message", "ehr.adt", "EHR|HOSP", number, body)
        message = Message(
            id=message_id, interface="ehr.adt", source="clinical", body=body, received_at=START + timedelta(milliseconds=self.made),
            correlation_id=message_id, kind="ADT^A01", sender="EHR|HOSP", control_id=number,
        )  # fmt: skip
        patient = str(self.made * 7919 % PATIENTS)
        return Arrival(message=message, state="received", identifiers=(("patient", patient), ("visit", "V" + number)), ack=b"MSA|AA|" * 15)

    async def whole_way(self, messages: int) -> None:
        """All of it in batches: receive, translate to one event, plan one delivery, claim, settle."""
        journal, batch = self.journal, self.batch
        await journal.enrol("odoo.bill", frozenset(("patient.admitted",)))
        for _ in range(0, messages, batch):
            arrivals = [self.arrival() for _ in range(batch)]
            now = arrivals[-1].message.received_at
            async with self.measured("receive"):
                await journal.receive(arrivals)
            async with self.measured("untranslated"):
                waiting = await journal.untranslated(batch)
            results = [Translated(message_id=one.id, events=(_event(one),)) for one in waiting]
            async with self.measured("translated"):
                await journal.translated(results, now)
            async with self.measured("upcoming"):
                events = await journal.upcoming("odoo.bill", batch)
            plans = [Planned(event_id=one.id, deliveries=(_delivery(one),)) for one in events]
            async with self.measured("planned"):
                await journal.planned("odoo.bill", events[-1].seq, plans, now)
            left = batch
            while left:
                async with self.measured("claim"):
                    claimed = await journal.claim("odoo", batch, now, OWNER)
                settlements = [_settled(one.delivery.id, now) for one in claimed]
                async with self.measured("settle"):
                    await journal.settle(settlements, OWNER)
                left -= len(claimed)

    async def receive_from(self, connections: int, messages: int) -> None:
        """Each connection sends its next message when the last was acknowledged."""
        each = messages // connections
        arrivals = [[self.arrival() for _ in range(each)] for _ in range(connections)]
        waits: list[float] = []

        async def connection(mine: list[Arrival]) -> None:
            for arrival in mine:
                begun = time.perf_counter()
                await self.journal.receive([arrival])
                waits.append(time.perf_counter() - begun)

        name = f"receive, {connections} at once"
        async with self.measured(name):
            await asyncio.gather(*(connection(mine) for mine in arrivals))
        waits.sort()
        stage = self.stages.pop(name)
        count = len(waits)
        print(
            f"{name:<22} {count / stage.seconds:>8,.0f}/s   p50 {waits[count // 2] * 1e3:6.2f} ms   p99 {waits[count * 99 // 100] * 1e3:6.2f} ms"
            f"   {stage.cpu / count * 1e6:6.1f} us CPU   {count / stage.commits:6.1f} a commit"
        )

    def table(self, messages: int) -> None:
        print(f"{'stage':<14}{'us CPU':>10}{'us wall':>10}{'commits':>10}")
        for stage in (*self.stages.values(), self._total()):
            print(f"{stage.name:<14}{stage.cpu / messages * 1e6:>10.1f}{stage.seconds / messages * 1e6:>10.1f}{stage.commits:>10}")
        self.stages.clear()

    def _total(self) -> Stage:
        stages = list(self.stages.values())
        return Stage("whole way", sum(one.seconds for one in stages), sum(one.cpu for one in stages), sum(one.commits for one in stages))


def _event(message: Message) -> Envelope:
    return Envelope(
        id=derive_id("event", message.id), type="patient.admitted", version=1, key=message.control_id,
        ordering_key=str(int(message.control_id) * 7919 % PATIENTS), correlation_id=message.id, causation_id=message.id, body=b"e" * EVENT,
    )  # fmt: skip


def _delivery(event: Envelope) -> Delivery:
    return Delivery(
        endpoint="odoo", operation="upsert account.move", key=event.key, body=b"d" * DELIVERY, ordering_key=event.ordering_key,
        id=derive_id("delivery", event.id), subscription="odoo.bill", correlation_id=event.correlation_id, causation_id=event.id,
    )  # fmt: skip


_OUTCOME = Delivered(receipts=(Receipt("transport", "200"), Receipt("business", "posted", "account.move/17")))


def _settled(delivery_id: str, now: datetime) -> Settlement:
    return Settlement(delivery_id=delivery_id, outcome=_OUTCOME, state="delivered", started_at=now, ended_at=now)


def _seal_micros(rounds: int = 20_000) -> float:
    ring, body = Keyring.ephemeral(), b"x" * BODY
    begun = time.thread_time()
    for _ in range(rounds):
        ring.seal(body, b"calibration")
    return (time.thread_time() - begun) / rounds * 1e6


async def main() -> None:
    options = argparse.ArgumentParser(description="What the journal costs")
    options.add_argument("--messages", type=int, default=20_000)
    options.add_argument("--batch", type=int, default=200)
    options.add_argument("--fill", type=int, default=0)
    options.add_argument("--folder", type=Path, default=None)
    told = options.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        journal = SqliteJournal(Path(folder) / "journal.sqlite", Keyring.load_or_create(Path(folder) / "keys" / "keyring.json"))
        await journal.open()
        bench = Bench(journal, told.batch)
        if told.fill:
            await bench.whole_way(told.fill)
            print(f"while filling with {told.fill:,} messages:")
            bench.table(told.fill)
        print(f"calibration: sealing 1,450 bytes takes {_seal_micros():.2f} us")
        print(f"{told.messages:,} messages in batches of {told.batch}, {bench.made:,} kept before, {await journal.size() / 1e6:,.0f} MB:")
        await bench.whole_way(told.messages)
        bench.table(told.messages)
        for connections in (1, 8, 32, 128):
            await bench.receive_from(connections, min(told.messages, 1_000 * connections))
        await journal.close()


if __name__ == "__main__":
    asyncio.run(main())
