# ruff: noqa: INP001, T201, S608, S101, S311, ASYNC240 - a script that prints, and that makes its SQL of numbers of its own
"""Does the journal in PostgreSQL stay flat? The same work on an empty journal and on a full one, and the ratios.

    FSYNC=on tools/postgres-up DIR 0
    python bench/growth_postgres.py DSN DIR empty                    # measures, and keeps some messages to be found later
    python bench/growth_postgres.py DSN DIR fill --stored 1000000    # as often as wanted; bulk SQL, in the shape that the journal writes
    python bench/growth_postgres.py DSN DIR wait --waiting 1000000   # deliveries that wait at the endpoint, in 200,000 lines
    python bench/growth_postgres.py DSN DIR full                     # measures again and prints the ratios
    python bench/growth_postgres.py DSN DIR retention --stored 60000 # in a database of its own: prunes what it kept while messages come in

``DIR`` keeps the key ring and the figures as JSON. The database is to be on this machine (its CPU is read from /proc) and to have
pg_stat_statements in ``shared_preload_libraries``, for the pages touched.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
from journal import Bench, _delivery, _event, _settled

from isthmus.journals.port import Claimed, Planned, Query, Translated
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.postgres.runs import Runs
from isthmus.journals.sealing import Keyring

BATCH, BATCHES = 200, 100
LOOKS = 2_000
LINES = 200_000
NUMBERS = 8
"""Numbers of ``place`` that a filled message takes: message, event, delivery, steps, and two spare."""
LONG_AGO = datetime(2025, 3, 2, tzinfo=UTC)
OWNER = "bench"
_SHELF = 32 << 20
"""Small ones, so that some are emptied."""
SETTINGS = ("server_version", "shared_buffers", "fsync", "synchronous_commit", "full_page_writes", "wal_compression", "checkpoint_timeout", "max_wal_size", "autovacuum_naptime")  # fmt: skip
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Counted(PostgresJournal):
    """What ``Bench`` wants to know; not used here."""

    commits = 0


class Meter:
    """Time of each call; pages and log of its statements (not of the housekeeping beside them), and CPU (with it)."""

    def __init__(self, watcher: Connection) -> None:
        self.watcher = watcher
        self.found: dict[str, dict[str, float]] = {}

    @asynccontextmanager
    async def stage(self, name: str, messages: int) -> AsyncIterator[list[float]]:
        calls: list[float] = []
        before, cpu = await self._look(), time.process_time()
        yield calls
        cpu = time.process_time() - cpu
        pages, log, server = (after - one for after, one in zip(await self._look(), before, strict=True))
        calls.sort()
        self.found[name] = {
            "p50 ms": calls[len(calls) // 2] * 1e3,
            "p99 ms": calls[len(calls) * 99 // 100] * 1e3,
            "pages": pages / messages,
            "log": log / messages,
            "us server": server / messages * 1e6,
            "us client": cpu / messages * 1e6,
        }

    async def _look(self) -> tuple[float, float, float]:
        row = await self.watcher.fetchrow(
            "SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float, coalesce(sum(wal_bytes), 0)::float FROM pg_stat_statements "
            "WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query !~ '^(VACUUM|CREATE|SET|ALTER|LOCK)'"
        )
        pids = await self.watcher.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'isthmus'")
        ticks = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) for (pid,) in pids)
        return row[0], float(row[1]), ticks / os.sysconf("SC_CLK_TCK")


async def timed(calls: list[float], work: Awaitable[Any]) -> Any:
    begun = time.perf_counter()
    done = await work
    calls.append(time.perf_counter() - begun)
    return done


async def measure(journal: PostgresJournal, meter: Meter, bench: Bench, samples: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each stage for itself, twenty thousand messages; and the looks that people take. Returns messages to be found again."""
    arrivals = [[bench.arrival() for _ in range(BATCH)] for _ in range(BATCHES)]
    now = arrivals[-1][-1].message.received_at
    messages = BATCH * BATCHES
    async with meter.stage("receive (ACK), 200", messages) as calls:
        for one in arrivals:
            await timed(calls, journal.receive(one))
    single = [bench.arrival() for _ in range(1_000)]
    async with meter.stage("receive (ACK), 1", len(single)) as calls:
        for alone in single:
            await timed(calls, journal.receive([alone]))
    async with meter.stage("receive again", 2_000) as calls:
        for one in arrivals[:10]:
            assert all(answer.duplicate for answer in await timed(calls, journal.receive(one)))
    async with meter.stage("translate", messages) as calls:
        while waiting := await journal.untranslated(BATCH):
            await timed(calls, journal.translated([Translated(message_id=one.id, events=(_event(one),)) for one in waiting], now))
    async with meter.stage("plan", messages) as calls:
        while events := await journal.upcoming("odoo.bill", BATCH):
            plans = [Planned(event_id=one.id, deliveries=(_delivery(one),)) for one in events]
            await timed(calls, journal.planned("odoo.bill", events[-1].seq, plans, now))
    await send(journal, meter, messages, now)
    fresh = [(one.message.id, one.identifiers[1][1]) for batch in arrivals for one in batch]
    samples = samples or random.Random(1).sample(fresh, LOOKS)
    await looks(meter, "find by business key", [lambda one=one: journal.find(Query(identifier=one[1])) for one in samples])
    await looks(meter, "story", [lambda one=one: journal.story(one[0]) for one in samples])
    await looks(meter, "story by prefix", [lambda one=one: journal.story(one[0][:12]) for one in samples])
    await looks(meter, "positions", [journal.positions for _ in range(200)])
    return list(samples)


async def looks(meter: Meter, name: str, works: Sequence[Callable[[], Awaitable[Any]]]) -> None:
    async with meter.stage(name, len(works)) as calls:
        for work in works:
            assert await timed(calls, work())


async def send(journal: PostgresJournal, meter: Meter, messages: int, now: datetime) -> None:
    claimed: list[Sequence[Claimed]] = []
    left = messages
    async with meter.stage("claim", messages) as calls:
        while left > 0:
            claimed.append(await timed(calls, journal.claim("odoo", BATCH, now, OWNER)))
            left -= len(claimed[-1])
            if len(claimed) % 10 == 0:  # what is in hand stays within what couriers have
                break
    async with meter.stage("settle", sum(map(len, claimed))) as calls:
        for batch in claimed:
            await timed(calls, journal.settle([_settled(one.delivery.id, now) for one in batch], OWNER))
    async with meter.stage("claim and settle in turn", left) as both:
        while left > 0:
            batch = await timed(both, journal.claim("odoo", BATCH, now, OWNER))
            await timed(both, journal.settle([_settled(one.delivery.id, now) for one in batch], OWNER))
            left -= len(batch)


# ---- filling ------------------------------------------------------------------------------------------------------------------

FILL = """
WITH given AS MATERIALIZED (
    SELECT n, $1::bigint + (n - 1) * {numbers} AS seq, md5('message ' || $1 + n) AS id, md5('event ' || $1 + n) AS event_id,
           md5('delivery ' || $1 + n) AS delivery_id, $2::timestamptz + n * interval '1 millisecond' AS at
    FROM generate_series(1, $3::bigint) AS n
),
messages AS (
    INSERT INTO message (seq, id, interface, source, correlation_id, received_at, size, arrival, reason, kind, head, shelf)
    SELECT seq, id, 'fill.' || n % 10, 'clinical', id, at, 1450, 'received', '', $4, $5, (SELECT max(number) FROM shelf) FROM given
),
events AS (
    INSERT INTO event (seq, id, message, type, version, correlation_id, causation_id, created_at, fed, head, size, shelf)
    SELECT seq + 1, event_id, seq, 'patient.admitted', 1, id, id, at, true, $6, 300, (SELECT max(number) FROM shelf) FROM given
),
deliveries AS (
    INSERT INTO delivery (
        seq, id, message, endpoint, subscription, operation, content_type, correlation_id, causation_id, supersedes, created_at, rank, lane,
        head, shelf
    )
    SELECT seq + 2, delivery_id, seq, 'odoo', 'odoo.bill', 'upsert account.move', 'application/json', id, event_id, '', at, seq + 2, 1, $6,
        (SELECT max(number) FROM shelf)
    FROM given
),
steps AS (
    INSERT INTO step (message, seq, subject, at, stage, code, by, seconds)
    SELECT seq, seq + 3, seq, at, 'translated', '', '', NULL FROM given
    UNION ALL SELECT seq, seq + 4, seq + 2, at, 'attempt', 'delivered', '', 0.01 FROM given
    UNION ALL SELECT seq, seq + 5, seq + 2, at, 'receipt', 'transport', '', NULL FROM given
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed)
    SELECT (SELECT max(number) FROM shelf), seq + of, $7 FROM given, generate_series(0, 2) AS of
)
INSERT INTO known_{run} (run, id, seq) SELECT {run}, id::uuid, seq FROM given
"""
LOCATE = """
INSERT INTO locator_{run} (run, rest, token, seq)
SELECT {run}, n::integer, ('x' || left(md5('entry {run} ' || $1 + n), 16))::bit(64)::bigint, $1::bigint + (n / 6) * {numbers}
FROM generate_series(1, $2::bigint) AS n
"""


async def fill(database: Connection, stored: int) -> None:
    """Finished messages: history, bodies (small ones), and the runs that their ids would have filled, closed and not merged."""
    await database.execute("SET search_path = isthmus; SET synchronous_commit = off")
    first = await database.fetchval("SELECT nextval('place')")
    await database.execute(f"SELECT setval('place', {first + stored * NUMBERS + 10})")
    numbers = {family: await database.fetchval("SELECT max(number) FROM run WHERE family = $1", family) for family in ("known", "locator")}

    async def run(family: str) -> int:
        numbers[family] += 1
        number = numbers[family]
        await database.execute(f"CREATE TABLE {family}_{number} (LIKE {family} INCLUDING INDEXES, CHECK (run = {number}))")
        return int(number)

    async def close(family: str, number: int) -> None:
        await database.execute(f"ALTER TABLE {family} ATTACH PARTITION {family}_{number} FOR VALUES IN ({number})")
        await database.execute(f"INSERT INTO run (family, number, tier, open) VALUES ('{family}', {number}, 0, false)")

    known = await run("known")
    blob = os.urandom(200)
    slice_ = 50_000
    for start in range(0, stored, slice_):
        count = min(slice_, stored - start)
        at = LONG_AGO + timedelta(milliseconds=first + start)
        await database.execute(
            FILL.format(numbers=NUMBERS, run=known),
            first + start * NUMBERS,
            at,
            count,
            blob[:16],
            blob[:165],
            blob[:75],
            blob[:60],
            timeout=600,
        )
    await close("known", known)
    for _ in range(6):
        number = await run("locator")
        await database.execute(LOCATE.format(numbers=NUMBERS, run=number), first, stored, timeout=600)
        await close("locator", number)
    await database.execute(
        "INSERT INTO feed VALUES ('patient.admitted', $1) ON CONFLICT (type) DO UPDATE SET count = feed.count + $1", stored
    )
    await database.execute("UPDATE subscription SET cursor = (SELECT last_value FROM place), passed = passed + $1", stored)


async def wait(database: Connection, journal: PostgresJournal, waiting: int) -> None:
    """Deliveries that wait, with seals that open: they will be claimed."""
    await database.execute("SET search_path = isthmus; SET synchronous_commit = off")
    seals = journal._store._seals  # noqa: SLF001 - written as the journal would write them
    messages = [row["seq"] for row in await database.fetch("SELECT seq FROM message ORDER BY seq LIMIT 10000")]
    first = await database.fetchval("SELECT nextval('place')")
    await database.execute(f"SELECT setval('place', {first + waiting + 10})")
    shelf = await database.fetchval("SELECT max(number) FROM shelf")
    led: set[int] = set()
    body = os.urandom(200)
    for start in range(0, waiting, 20_000):
        deliveries, dues, bodies = [], [], []
        for n in range(start, min(waiting, start + 20_000)):
            seq, id, line = first + n, f"{random.Random(n).getrandbits(128):032x}", n % LINES
            at = LONG_AGO + timedelta(milliseconds=n)
            key = f"patient/{line}"
            deliveries.append(
                (seq, id, messages[n % 10_000], "odoo", "odoo.bill", "upsert account.move", "application/json", id, id, "", at, seq, 1,
                 seals.pair("delivery", id, f"invoice-{n}", key), shelf)
            )  # fmt: skip
            dues.append(
                (seq, messages[n % 10_000], "odoo", "odoo.bill", seals.line(key), seq, line not in led, 1, 200, "due", 0, at, "", False)
            )
            bodies.append((shelf, seq, seals.body("delivery", id, body)))
            led.add(line)
        await database.copy_records_to_table(
            "delivery", records=deliveries, schema_name="isthmus",
            columns=["seq", "id", "message", "endpoint", "subscription", "operation", "content_type", "correlation_id", "causation_id", "supersedes", "created_at", "rank", "lane", "head", "shelf"],
        )  # fmt: skip
        await database.copy_records_to_table(
            "due", records=dues, schema_name="isthmus",
            columns=["seq", "message", "endpoint", "subscription", "line", "rank", "lead", "lane", "size", "state", "attempts", "ready_at", "reason", "replaced"],
        )  # fmt: skip
        await database.copy_records_to_table("body", records=bodies, columns=("shelf", "seq", "sealed"), schema_name="isthmus")
    await database.execute("INSERT INTO tally VALUES ('delivery', 'odoo.bill', 'due', 0, $1) ON CONFLICT (noun, name, state, shard) DO UPDATE SET count = tally.count + $1", waiting)  # fmt: skip


# ---- retention ----------------------------------------------------------------------------------------------------------------


async def retention(journal: PostgresJournal, bench: Bench, database: Connection, messages: int) -> dict[str, float]:
    """Batches of 32 as they come at 32 connections, without pruning, and while all that was kept before is pruned; what the disk gets."""
    for _ in range(0, messages, BATCH):
        await journal.receive([bench.arrival() for _ in range(BATCH)])
        await journal.translated([Translated(message_id=one.id) for one in await journal.untranslated(BATCH)], LONG_AGO)
    old = bench.arrival().message.received_at

    async def acks(until: Callable[[], bool]) -> list[float]:
        waits: list[float] = []
        while not until():
            arrivals = [bench.arrival() for _ in range(32)]
            await timed(waits, journal.receive(arrivals))
            await asyncio.sleep(0.005)  # some 3,000 a second and not as many as go, so that both see the same load
        return sorted(waits)

    begun = time.perf_counter()
    quiet = await acks(lambda: time.perf_counter() - begun > 15)  # noqa: PLR2004
    before, shelves = await journal.size(), await database.fetchval("SELECT count(*) FROM isthmus.shelf")
    pruned = 0

    async def prune() -> None:
        nonlocal pruned
        while (done := await journal.prune("ehr.adt", old, old, 2_000)).messages:
            pruned += done.messages

    task = asyncio.create_task(prune())
    begun = time.perf_counter()
    busy = await acks(task.done)
    await task
    return {
        "pruned messages": pruned,
        "seconds": time.perf_counter() - begun,
        "MB before": before / 1e6,
        "MB after": await journal.size() / 1e6,
        "shelves before": shelves,
        "shelves after": await database.fetchval("SELECT count(*) FROM isthmus.shelf"),
        "ACK p50 ms": quiet[len(quiet) // 2] * 1e3,
        "ACK p99 ms": quiet[len(quiet) * 99 // 100] * 1e3,
        "ACK p50 ms, pruning": busy[len(busy) // 2] * 1e3,
        "ACK p99 ms, pruning": busy[len(busy) * 99 // 100] * 1e3,
        "ACK longest ms, pruning": busy[-1] * 1e3,
    }


# ---- the tables ---------------------------------------------------------------------------------------------------------------


def show(found: dict[str, dict[str, float]], empty: dict[str, dict[str, float]] | None) -> None:
    names = list(next(iter(found.values())))
    print(f"{'':<26}" + "".join(f"{name:>17}" for name in names))
    for stage, values in found.items():
        line = f"{stage:<26}"
        for name in names:
            ratio = values[name] / empty[stage][name] if empty and empty.get(stage, {}).get(name) else None
            line += f"{values[name]:>10.2f}" + (f" ({ratio:4.2f})" if ratio is not None else " " * 7)
        print(line)


async def main() -> None:
    options = argparse.ArgumentParser(description="Does the journal in PostgreSQL stay flat?")
    options.add_argument("dsn")
    options.add_argument("folder", type=Path)
    options.add_argument("what", choices=("empty", "fill", "wait", "full", "retention"))
    options.add_argument("--stored", type=int, default=1_000_000)
    options.add_argument("--waiting", type=int, default=1_000_000)
    told = options.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    watcher: Connection = await asyncpg.connect(told.dsn, server_settings={"application_name": "bench"})
    await watcher.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    journal = Counted(
        told.dsn,
        Keyring.load_or_create(told.folder / "keyring.json"),
        connections=2 if told.what != "retention" else 4,
        shelf_bytes=_SHELF if told.what == "retention" else 1 << 30,
    )
    await journal.open()
    bench = Bench(journal, BATCH)  # type: ignore[arg-type]  # any journal
    bench.made = int(time.time() * 1000) % 10**12
    figures = told.folder / f"{told.what}.json"
    begun = time.perf_counter()
    if told.what == "fill":
        await fill(watcher, told.stored)
        filled = time.perf_counter() - begun
        await Runs(journal._store, 128 << 20).tidy()  # noqa: SLF001 - the journal's own merge of what was filled
        print(f"{told.stored:,} messages in {filled:.0f} s, merged in {time.perf_counter() - begun - filled:.0f} s")
    elif told.what == "wait":
        await wait(watcher, journal, told.waiting)
        print(f"{told.waiting:,} deliveries in {time.perf_counter() - begun:.0f} s")
    elif told.what == "retention":
        result = await retention(journal, bench, watcher, told.stored)
        figures.write_text(json.dumps(result, indent=1))
        print("\n".join(f"{name:<28}{value:>14,.2f}" for name, value in result.items()))
    else:
        await journal.enrol("odoo.bill", frozenset(("patient.admitted",)))
        await bench.whole_way(BATCH * 2)
        await watcher.execute("CHECKPOINT")
        meter = Meter(watcher)
        kept = told.folder / "samples.json"
        samples = await measure(journal, meter, bench, json.loads(kept.read_text()) if kept.exists() else [])
        kept.write_text(json.dumps(samples))
        about = {name: await watcher.fetchval("SELECT current_setting($1)", name) for name in SETTINGS}
        about["messages"] = await watcher.fetchval("SELECT count(*) FROM isthmus.message")
        about["waiting"] = await watcher.fetchval("SELECT count(*) FROM isthmus.due")
        about["MB"] = round(await journal.size() / 1e6)
        about["runs"] = [
            tuple(row) for row in await watcher.fetch("SELECT family, tier, count(*) FROM isthmus.run GROUP BY 1, 2 ORDER BY 1, 2")
        ]
        figures.write_text(json.dumps({"about": about, "figures": meter.found}, indent=1))
        print(about)
        empty = told.folder / "empty.json"
        show(meter.found, json.loads(empty.read_text())["figures"] if told.what == "full" and empty.exists() else None)
    await journal.close()
    await watcher.close()


if __name__ == "__main__":
    asyncio.run(main())
