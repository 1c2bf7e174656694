# ruff: noqa: INP001, T201 - a script that prints
"""Whether the SQLite journal stays flat: the same work on an empty one and on one with millions of messages, side by side.

    python bench/growth_sqlite.py [--plan 2,1,3,3,3] [--waiting 1000000] [--messages 30000] [--folder DIR] [--json FILE]

The large journal is written with plain SQL (minutes), in the row shapes and with the indexes of the real one; every 997th message and all
waiting deliveries are sealed for real, so they can be searched, told and claimed. ``--plan`` says how many runs the locator has of each
size, largest first: a largest run stands for some 2.2 million messages, each smaller one for a quarter of that; so 3,3,3 at the end
makes a cascade of merges begin during the measured load.

Measured are: the whole way under load (32 senders, one message in flight each, all stages beside each other, with checkpoints and
merges), a search by visit number and by patient, the story of a message, the calls that people's screens repeat, and pruning under load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from growth_fill import ELSEWHERE, ENDPOINT, INTERFACE, PATIENTS, START, SUBSCRIPTION, TYPE, Sample, arrival, delivery_of, event_of, fill

from isthmus.core.outcome import Delivered, Receipt
from isthmus.journals.port import Accepted, Arrival, Planned, Query, Settlement, Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal

SENDERS = 32
BATCH = 256
OWNER = "bench"
OUTCOME = Delivered(receipts=(Receipt("transport", "200"), Receipt("business", "posted", "account.move/17")))

Figures = dict[str, float]


class Load:
    """All stages beside each other, as the engine runs them."""

    def __init__(self, journal: SqliteJournal, messages: int, first: int, endpoint: str = ELSEWHERE, step: int = 1) -> None:
        self.journal = journal
        self.endpoint = endpoint
        self.left = iter(range(first, first + messages * step, step))
        self.messages = messages
        self.acks: list[float] = []
        self.claims: list[float] = []
        self.settles: list[float] = []
        self.queue: list[tuple[Arrival, asyncio.Future[Accepted]]] = []
        self.came, self.kept, self.made, self.due = (asyncio.Event() for _ in range(4))
        self.settled = 0

    async def run(self) -> None:
        loops = [asyncio.create_task(one()) for one in (self.receiver, self.translator, self.subscriber, self.courier)]
        await asyncio.gather(*(self.sender() for _ in range(SENDERS)))
        while self.settled < self.messages:
            await asyncio.sleep(0.01)
            for loop in loops:
                if loop.done():
                    loop.result()
        for loop in loops:
            loop.cancel()

    async def sender(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self.left:
            answer: asyncio.Future[Accepted] = loop.create_future()
            begun = time.perf_counter()
            self.queue.append((arrival(number), answer))
            self.came.set()
            await answer
            self.acks.append(time.perf_counter() - begun)

    async def receiver(self) -> None:
        while True:
            await self.came.wait()
            self.came.clear()
            while self.queue:
                batch, self.queue = self.queue, []
                for (_, answer), accepted in zip(batch, await self.journal.receive([one for one, _ in batch]), strict=True):
                    answer.set_result(accepted)
                self.kept.set()

    async def translator(self) -> None:
        while True:
            while waiting := await self.journal.untranslated(BATCH, frozenset((INTERFACE,))):
                await self.journal.translated([Translated(message_id=one.id, events=(event_of(one),)) for one in waiting], START)
                self.made.set()
            await self.kept.wait()
            self.kept.clear()

    async def subscriber(self) -> None:
        while True:
            while events := await self.journal.upcoming(SUBSCRIPTION, BATCH):
                plans = [Planned(event_id=one.id, deliveries=(delivery_of(one, self.endpoint),)) for one in events]
                await self.journal.planned(SUBSCRIPTION, events[-1].seq, plans, START + timedelta(days=1))
                self.due.set()
            await self.made.wait()
            self.made.clear()

    async def courier(self) -> None:
        now = START + timedelta(days=2)
        while True:
            while self.settled < self.messages:
                begun = time.perf_counter()
                claimed = await self.journal.claim(self.endpoint, BATCH, now, OWNER)
                if not claimed:
                    break
                self.claims.append((time.perf_counter() - begun) / len(claimed))
                done = [
                    Settlement(delivery_id=one.delivery.id, outcome=OUTCOME, state="delivered", started_at=now, ended_at=now)
                    for one in claimed
                ]
                begun = time.perf_counter()
                await self.journal.settle(done, OWNER)
                self.settles.append((time.perf_counter() - begun) / len(claimed))
                self.settled += len(claimed)
            await self.due.wait()
            self.due.clear()


def written() -> int:
    """Bytes this process has handed to the system to write: the log and what is carried from it into the file."""
    return next(int(line.split()[1]) for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("wchar"))


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def under_load(journal: SqliteJournal, messages: int, first: int, endpoint: str = ELSEWHERE) -> Figures:
    load = Load(journal, messages, first, endpoint)
    wall, cpu, bytes_, commits = time.perf_counter(), time.process_time(), written(), journal.commits
    await load.run()
    wall, cpu, bytes_ = time.perf_counter() - wall, time.process_time() - cpu, written() - bytes_
    return {
        "messages/s": messages / wall,
        "CPU us a message": cpu / messages * 1e6,
        "bytes written a message": bytes_ / messages,
        "commits a message": (journal.commits - commits) / messages,
        "ack p50 ms": at(load.acks, 0.5) * 1e3,
        "ack p99 ms": at(load.acks, 0.99) * 1e3,
        "ack p99.9 ms": at(load.acks, 0.999) * 1e3,
        "ack worst ms": max(load.acks) * 1e3,
        "claim p50 us a delivery": at(load.claims, 0.5) * 1e6,
        "claim p99 us a delivery": at(load.claims, 0.99) * 1e6,
        "settle p50 us a delivery": at(load.settles, 0.5) * 1e6,
        "settle p99 us a delivery": at(load.settles, 0.99) * 1e6,
    }


async def one_by_one(journal: SqliteJournal, batches: int, first: int, endpoint: str = ELSEWHERE, size: int = 64) -> Figures:
    """Each call alone, nothing beside it: what it costs in CPU and bytes."""
    found: dict[str, list[float]] = {}

    async def measured(name: str, call: Callable[[], Awaitable[object]]) -> object:
        cpu, bytes_ = time.process_time(), written()
        result = await call()
        found.setdefault(f"{name} CPU us", []).append((time.process_time() - cpu) / size * 1e6)
        found.setdefault(f"{name} bytes", []).append((written() - bytes_) / size)
        return result

    now, later = START + timedelta(days=1), START + timedelta(days=2)
    for batch in range(batches):
        arrivals = [arrival(first + batch * size + n) for n in range(size)]
        await measured("receive", lambda arrivals=arrivals: journal.receive(arrivals))
        waiting = await measured("untranslated", lambda: journal.untranslated(size))
        results = [Translated(message_id=one.id, events=(event_of(one),)) for one in waiting]  # type: ignore[attr-defined]
        await measured("translated", lambda results=results: journal.translated(results, START))
        events = await measured("upcoming", lambda: journal.upcoming(SUBSCRIPTION, size))
        plans = [Planned(event_id=one.id, deliveries=(delivery_of(one, endpoint),)) for one in events]  # type: ignore[attr-defined]
        await measured("planned", lambda events=events, plans=plans: journal.planned(SUBSCRIPTION, events[-1].seq, plans, now))
        claimed = await measured("claim", lambda: journal.claim(endpoint, size, later, OWNER))
        done = [
            Settlement(delivery_id=one.delivery.id, outcome=OUTCOME, state="delivered", started_at=now, ended_at=now) for one in claimed
        ]  # type: ignore[attr-defined]
        await measured("settle", lambda done=done: journal.settle(done, OWNER))
    return {name: at(values, 0.5) for name, values in found.items()}


async def asked(journal: SqliteJournal, samples: list[Sample], rounds: int = 400) -> Figures:
    """What people ask: CPU and waiting time of one call."""
    drawn = random.Random(5).choices(samples, k=rounds)  # noqa: S311 - a sample
    calls: dict[str, Callable[[Sample], Awaitable[object]]] = {
        "search by visit": lambda one: journal.find(Query(identifier=one.visit)),
        "search by patient": lambda one: journal.find(Query(identifier=one.patient)),
        "story": lambda one: journal.story(one.message_id),
        "story by 8 digits": lambda one: journal.story(one.message_id[:8]),
        "positions": lambda _: journal.positions(),
        "backlog": lambda _: journal.backlog(),
        "tallies": lambda _: journal.tallies(),
        "next_due": lambda _: journal.next_due(ENDPOINT),
        "owners": lambda _: journal.owners(),
        "deliveries due": lambda _: journal.deliveries(state="due"),
        "deliveries dead": lambda _: journal.deliveries(state="dead"),
        "newest of an interface": lambda _: journal.find(Query(interface=INTERFACE)),
        "received": lambda _: journal.find(Query(state="received")),
    }
    figures: Figures = {}
    for name, call in calls.items():
        for one in drawn:
            await call(one)  # once before, so that the same pages are at hand in both journals
        waits: list[float] = []
        cpu = time.process_time()
        for one in drawn:
            begun = time.perf_counter()
            await call(one)
            waits.append(time.perf_counter() - begun)
        figures[f"{name} CPU us"] = (time.process_time() - cpu) / rounds * 1e6
        figures[f"{name} p99 us"] = at(waits, 0.99) * 1e6
    return figures


async def pruning(journal: SqliteJournal, messages: int, first: int, before: datetime) -> Figures:
    """Everything before a moment is pruned while the load goes on."""
    full = await journal.size()
    wall = time.perf_counter()
    load = Load(journal, messages, first)
    task = asyncio.create_task(journal.prune(INTERFACE, before, START + timedelta(days=3), limit=10_000_000))
    await load.run()
    acks = list(load.acks)
    while not task.done():
        first += messages
        load = Load(journal, messages, first)
        await load.run()
        acks += load.acks
    pruned = await task
    return {
        "pruned messages": pruned.messages,
        "pruned messages/s": pruned.messages / (time.perf_counter() - wall),
        "size before MB": full / 1e6,
        "size after MB": await journal.size() / 1e6,
        "ack p50 ms": at(acks, 0.5) * 1e3,
        "ack p99 ms": at(acks, 0.99) * 1e3,
        "ack p99.9 ms": at(acks, 0.999) * 1e3,
        "ack worst ms": max(acks) * 1e3,
    }


async def measure(path: Path, ring: Keyring, samples: list[Sample], messages: int, first: int) -> dict[str, Figures]:
    journal = SqliteJournal(path, ring)
    begun = time.perf_counter()
    await journal.open()
    opened = time.perf_counter() - begun
    position = await journal.enrol(SUBSCRIPTION, frozenset((TYPE,)))
    ready = time.perf_counter() - begun
    while any(sieve.unknown() for sieve in journal._opened._session.sieves):  # type: ignore[union-attr]  # noqa: SLF001, ASYNC110 - a look inside
        await asyncio.sleep(0.01)
    sieved = time.perf_counter() - begun
    if not samples:  # on an empty journal one has to keep something first
        for patient in range(12):  # each with as many messages as a page of results shows
            await Load(journal, 50, 9_000_000_000 + patient, step=PATIENTS).run()
        samples = [Sample.of(arrival(9_000_000_000 + patient + n * PATIENTS)) for patient in range(12) for n in range(0, 50, 3)]
    results = {
        "opening": {"seconds": opened, "seconds to ready": ready, "seconds until all is at hand": sieved, "waiting": position.waiting},
        "asked": await asked(journal, samples),
        "one by one": await one_by_one(journal, 60, first),
        "one by one, with the backlog": await one_by_one(journal, 60, first + 100_000, ENDPOINT),
        "under load": await under_load(journal, messages, first + 1_000_000),
        "under load, with the backlog": await under_load(journal, messages // 3, first + 2_000_000, ENDPOINT),
    }
    await journal.close()
    return results


def table(empty: dict[str, Figures], full: dict[str, Figures]) -> None:
    for topic, figures in full.items():
        print(f"\n{topic:<28}{'empty':>14}{'full':>14}{'ratio':>8}")
        for name, value in figures.items():
            before = empty.get(topic, {}).get(name)
            ratio = f"{value / before:8.2f}" if before else ""
            print(f"  {name:<26}{before if before is not None else float('nan'):>14,.1f}{value:>14,.1f}{ratio}")


async def main() -> None:
    options = argparse.ArgumentParser(description="Does the SQLite journal stay flat as it grows?")
    options.add_argument("--plan", default="2,1,3,3,3", help="runs of the locator by size, largest first")
    options.add_argument("--waiting", type=int, default=1_000_000)
    options.add_argument("--messages", type=int, default=30_000, help="measured under load")
    options.add_argument("--prune", type=int, default=0, help="prune so many of 180,000 messages under load, at the end")
    options.add_argument("--keep", type=Path, help="keep the filled journal here, and take it from there the next time")
    options.add_argument("--folder", type=Path)
    options.add_argument("--json", type=Path)
    told = options.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as name:
        folder = Path(name)
        kept = told.keep or folder / "full"
        kept.mkdir(parents=True, exist_ok=True)
        ring = Keyring.load_or_create(kept / "keyring.json")
        full = kept / "journal.sqlite"
        begun = time.perf_counter()
        samples, made = fill(full, ring, [int(one) for one in told.plan.split(",")], told.waiting)
        print(
            f"{made:,} messages, {told.waiting:,} waiting deliveries, {full.stat().st_size / 1e6:,.0f} MB, {time.perf_counter() - begun:,.0f} s"
        )
        first = int(time.time()) * 100  # numbers that a journal kept from the last time has not seen
        results = {"empty": await measure(folder / "empty.sqlite", ring, [], told.messages, first)}
        results["full"] = await measure(full, ring, samples, told.messages, first)
        table(results["empty"], results["full"])
        if told.prune:
            real = folder / "real.sqlite"  # what is pruned is opened and sealed again without its body
            fill(real, ring, [1, 1, 1], 0, real=1)
            journal = SqliteJournal(real, ring)
            await journal.open()
            results["pruning"] = {"pruning": await pruning(journal, 5_000, first + 10_000_000, START + timedelta(milliseconds=told.prune))}
            await journal.close()
            table({}, results["pruning"])
        if told.json:
            told.json.write_text(
                json.dumps({"messages": made, "waiting": told.waiting, "sqlite": sqlite3.sqlite_version, **results}, indent=1)
            )
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
