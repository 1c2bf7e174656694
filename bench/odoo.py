# ruff: noqa: INP001, T201 - a script for people
"""What the connector writes into a real Odoo, and how long what is critical takes beside a load of bulk. Not a test: nothing is asserted.

    tools/odoo-up .cache/odoo > .cache/odoo.json
    .venv/bin/python bench/odoo.py .cache/odoo.json [xml-rpc] > odoo-bench.json
    tools/odoo-down .cache/odoo

A table goes to stderr, JSON to stdout. Each row of the first table is a fresh client; ``calls`` are HTTP calls to Odoo.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec.structs import replace

from isthmus.connectors.odoo import InvoiceLine, Move, Odoo, OdooEndpoint, ref
from isthmus.connectors.odoo.client import OdooClient
from isthmus.connectors.port import Budget
from isthmus.core.classification import Classification
from isthmus.core.delivery import Delivery
from isthmus.core.outcome import Delivered, Outcome
from isthmus.core.policy import Lane, policy_for
from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import SystemClock
from isthmus.engine.courier import Courier
from isthmus.engine.lease import Alone
from isthmus.journals.port import Planned
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite.samples import event

ODOO = Odoo("odoo")


class Counting:
    """A budget without limits that counts."""

    def __init__(self) -> None:
        self.calls = 0

    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:  # noqa: ARG002 - part of the port
        self.calls += 1
        yield


def partner(number: int, name: str = "N") -> Delivery:
    return ODOO.upsert("res.partner", f"p-{number}", {"name": f"{name} {number}", "ref": f"P{number}", "is_company": True, "city": "X"})


def invoice(number: int) -> Delivery:
    service = ref("product.product", "service", name="Service", type="service")
    lines = [InvoiceLine(product=service, name="Service", quantity=1, price_unit=float(number + 1))] * 2
    return ODOO.invoice(
        f"i-{number}", payer=ref("res.partner", "payer", name="P"), reference=f"R{number}", date=date(2031, 6, 1), lines=lines
    )


def movement(number: int) -> Delivery:
    product = ref("product.product", "item", name="Item", type="consu", is_storable=True)
    return ODOO.movement(f"m-{number}", moves=[Move(product=product, quantity=1)], origin=f"O{number}")


async def measure(endpoint: OdooEndpoint, title: str, deliveries: Sequence[Delivery], size: int, *, again: bool = False) -> dict[str, Any]:
    """``again``: what is measured is the second time that the same client sends them."""
    budget = Counting()
    client = OdooClient("odoo", endpoint, budget)
    await client.open()
    before = unchanged = 0
    took = 0.0
    for _ in range(2 if again else 1):
        before, started, unchanged = budget.calls, time.perf_counter(), 0
        for first in range(0, len(deliveries), size):
            outcomes = await client.send(deliveries[first : first + size], 120)
            if wrong := [one for one in outcomes if not isinstance(one, Delivered)]:
                raise RuntimeError(wrong[0])
            unchanged += sum(isinstance(one, Delivered) and one.unchanged for one in outcomes)
        took = time.perf_counter() - started
    await client.close()
    row = {"what": title, "batch": size, "records": len(deliveries), "per_second": round(len(deliveries) / took, 1)}
    row |= {"calls": budget.calls - before, "unchanged": unchanged}
    say(f"{title:<34} {size:>5} {row['per_second']:>8.1f}/s  {row['calls']:>5} calls  {unchanged:>5} unchanged")
    return row


# ---- lanes ---------------------------------------------------------------------------------------------------------------------

CARE = Classification(criticality="care", latency="seconds", volume="1k/day")
REPORT = Classification(criticality="reporting", latency="batch", volume="100k/day")
ALARMS, BULK = 30, 20_000
PACE = 0.3
"""Seconds between two alarms."""


class Watched(OdooClient):
    """Notes when a delivery is seen to be in Odoo."""

    def __init__(self, settings: OdooEndpoint, budget: Budget) -> None:
        super().__init__("odoo", settings, budget, random.Random(1))  # noqa: S311 - spreads pauses
        self.seen: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.bulk = 0

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        outcomes = await super().send(deliveries, timeout, lane=lane)
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            if isinstance(outcome, Delivered):
                self.bulk += lane == "bulk"
                self.seen[delivery.key].set()
        return outcomes


class Noted:
    """A budget, and when each call was begun."""

    def __init__(self, inner: TargetBudget) -> None:
        self.inner = inner
        self.begun: list[float] = []

    @asynccontextmanager
    async def call(self, lane: Lane = "normal") -> AsyncIterator[None]:
        async with self.inner.call(lane):
            self.begun.append(time.monotonic())
            yield


async def lanes(endpoint: OdooEndpoint, folder: Path) -> dict[str, Any]:
    clock = SystemClock()
    budget = Noted(TargetBudget(clock, calls_per_second=endpoint.calls_per_second, in_flight=endpoint.in_flight))
    client = Watched(endpoint, budget)
    journal = SqliteJournal(folder / "journal.sqlite", Keyring.ephemeral())
    await journal.open()
    policies = {"odoo.alarm": policy_for(CARE), "odoo.report": policy_for(REPORT)}
    rng = random.Random(1)  # noqa: S311 - spreads pauses
    courier = Courier("odoo", client, journal, policies=policies, clock=clock, rng=rng, lease=Alone("bench:1"), notify=lambda _: None)
    loops = [courier.claiming(), courier.settling(), *(courier.working() for _ in range(courier.workers))]
    tasks = [asyncio.create_task(one) for one in loops]

    async def plan(subscription: str, lane: Lane, *deliveries: Delivery) -> None:
        now = datetime.now(UTC)
        await journal.enrol(subscription, frozenset({"patient.discharged"}), lane=lane)
        cause = await event(journal, f"{subscription} {deliveries[0].key}", now=now)
        made = tuple(replace(one, id=one.key, subscription=subscription) for one in deliveries)
        await journal.planned(subscription, cause.seq, [Planned(event_id=cause.id, deliveries=made)], now)
        courier.wake()

    async def alarms(first: int, count: int = ALARMS) -> list[float]:
        took: list[float] = []
        for number in range(first, first + count):
            started = time.perf_counter()
            await plan("odoo.alarm", "safety", replace(partner(2_000_000 + number), key=f"alarm-{number}"))
            await client.seen[f"alarm-{number}"].wait()
            took.append(time.perf_counter() - started)
            await asyncio.sleep(PACE)
        return took

    await alarms(-3, 3)  # connected, and the schema known
    alone = await alarms(0)
    await plan("odoo.report", "bulk", *(replace(partner(3_000_000 + number), key=f"bulk-{number}") for number in range(BULK)))
    await client.seen["bulk-0"].wait()
    started, before = time.perf_counter(), client.bulk
    beside = await alarms(ALARMS)
    rate = (client.bulk - before) / (time.perf_counter() - started)
    over = client.bulk >= BULK
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()
    await journal.close()
    most = max(sum(first <= one < first + 1.0 for one in budget.begun) for first in budget.begun)
    found: dict[str, Any] = {"alarms": ALARMS, "bulk": BULK, "bulk_over_before_the_end": over, "bulk_per_second": round(rate, 1)}
    found |= {"most_calls_begun_in_a_second": most, "calls_per_second": endpoint.calls_per_second, "in_flight": endpoint.in_flight}
    for name, times in (("alone", alone), ("beside_bulk", beside)):
        found[name] = {"p50_ms": spot(times, 0.5), "p99_ms": spot(times, 0.99), "max_ms": spot(times, 1.0)}
        say(f"critical, {name:<14} p50 {found[name]['p50_ms']:>6.0f} ms  p99 {found[name]['p99_ms']:>6.0f} ms")
    say(f"bulk beside it {rate:.0f}/s; most calls begun in one second: {most} of {endpoint.calls_per_second:g}")
    return found


def spot(times: Sequence[float], part: float) -> float:
    """In milliseconds."""
    return round(sorted(times)[min(len(times) - 1, int(part * len(times)))] * 1000, 1)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def main(info: dict[str, Any], protocol: Literal["json-2", "xml-rpc"]) -> None:
    database = f"run_{uuid.uuid4().hex[:8]}"
    server = await asyncpg.connect(info["dsn"])
    await server.execute(f"CREATE DATABASE {database} TEMPLATE {info['template']}")
    key = info["users"]["isthmus"]["key"]
    endpoint = OdooEndpoint(url=info["url"], database=database, key=key, user="isthmus", protocol=protocol, company=info["company"])
    rows: list[dict[str, Any]] = []
    try:
        await measure(endpoint, "warm up", [partner(999_999)], 1)
        kinds: tuple[tuple[str, Callable[[int], Delivery], int, bool], ...] = (
            ("upsert new", partner, 500, False),
            ("upsert again, known to nobody", partner, 500, False),
            ("upsert again, unchanged", partner, 500, True),
            ("upsert changed", lambda number: partner(number, "M"), 300, False),
            ("invoice, posted", invoice, 100, False),
            ("movement, done", movement, 100, False),
        )
        for title, make, count, again in kinds:
            rows.append(await measure(endpoint, title, [make(number) for number in range(count, count + 40)], 1, again=again))
            rows.append(await measure(endpoint, title, [make(number) for number in range(count)], 100, again=again))
        with tempfile.TemporaryDirectory() as folder:
            found = await lanes(endpoint, Path(folder))
    finally:
        await server.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await server.close()
    print(msgspec.json.format(msgspec.json.encode({"protocol": protocol, "writing": rows, "lanes": found})).decode())


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), "xml-rpc" if "xml-rpc" in sys.argv else "json-2"))
