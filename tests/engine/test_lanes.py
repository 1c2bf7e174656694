"""Lanes from end to end, by real time and real sockets: a slowed practice Odoo, a flood of bulk, and what is critical beside it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from connectors.odoo.proxy import Proxy
from engine.house import Bedside, Said, say, saying

from isthmus.connectors.odoo import Odoo, OdooEndpoint
from isthmus.connectors.odoo.client import OdooClient
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.core import Classification, Delivered, Delivery, Endpoint, Outcome, Retry, Site, subscribe
from isthmus.core.failure import Failure
from isthmus.core.policy import Lane
from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import SystemClock
from isthmus.engine.engine import Engine
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal

CARE = Classification(criticality="care", latency="seconds", volume="1k/day")
REPORT = Classification(criticality="reporting", latency="batch", volume="100k/day")
SLOW = 0.6
"""Seconds that each call for bulk takes in the practice Odoo: whoever waits for one of them shows it."""
words = Odoo("odoo", owner="tests")

pytestmark = pytest.mark.slow
odoo_endpoint = Endpoint("odoo")


def contact(key: str, city: str = "Ghent") -> Delivery:
    return words.upsert("res.partner", key, {"name": key, "ref": key, "city": city})


@subscribe(Said, to=odoo_endpoint, owner="ward", classification=CARE, name="odoo.alarm")
def alarm(event: Said) -> Iterator[Delivery]:
    if event.text == "alarm":
        yield contact(f"alarm-{event.number}")


@subscribe(Said, to=odoo_endpoint, owner="reports", classification=REPORT, name="odoo.report")
def report(event: Said) -> Iterator[Delivery]:
    """One message makes many deliveries: the flood is there at once."""
    if event.text.startswith("flood"):
        for number in range(int(event.text.removeprefix("flood"))):
            yield words.upsert("crm.lead", f"bulk-{event.number}-{number}", {"name": "Referral", "type": "lead"})


class Watched(OdooClient):
    """Notes when a delivery is seen to be in Odoo, and how many sends of bulk are under way."""

    def __init__(self, settings: OdooEndpoint, budget: TargetBudget) -> None:
        super().__init__("odoo", settings, budget, random.Random(1))
        self.bulk_running = self.bulk_done = 0
        self.seen: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        self.bulk_running += lane == "bulk"
        outcomes = await super().send(deliveries, timeout, lane=lane)
        self.bulk_running -= lane == "bulk"
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            if isinstance(outcome, Delivered):
                self.bulk_done += lane == "bulk"
                self.seen[delivery.key].set()
        return outcomes


class Run:
    def __init__(self, client: Watched, bedside: Bedside) -> None:
        self.client, self.bedside = client, bedside
        self._number = 0

    async def alarm(self) -> float:
        """Say it; seconds until it is seen to be in Odoo."""
        self._number += 1
        number, began = f"a{self._number}", time.monotonic()
        self.bedside.say(say(number, patient=number, text="alarm"))
        async with asyncio.timeout(20.0):
            await self.client.seen[f"alarm-{number}"].wait()
        return time.monotonic() - began


@asynccontextmanager
async def run(folder: Path, budget: TargetBudget, *, batch: int = 5, in_flight: int = 4) -> AsyncIterator[Run]:
    bedside = Bedside()
    site = Site("house", interfaces=(saying(),), subscriptions=(alarm, report), events=(Said,))
    async with PracticeOdoo() as odoo:
        odoo.trouble.seconds = SLOW
        odoo.trouble.otherwise = lambda call: "slow" if call.model == "crm.lead" else None
        settings = OdooEndpoint(url=odoo.url, database=odoo.database, key=odoo.key, batch=batch, in_flight=in_flight)
        client = Watched(settings, budget)
        journal = SqliteJournal(folder / "journal.sqlite", Keyring.ephemeral())
        await journal.open()
        engine = Engine(
            site,
            journal,
            {"bedside": bedside},
            {"odoo": client},
            clock=SystemClock(),
            rng=random.Random(1),
            node="here:1:1",
            pseudonym=lambda kind, value: f"{kind}-{value}",
            notify=lambda _: None,
        )
        await engine.start()
        try:
            yield Run(client, bedside)
        finally:
            await engine.stop()
            await journal.close()


@pytest.mark.parametrize("calls_per_second", [None, 10.0], ids=["in-flight", "calls-a-second"])
async def test_what_is_critical_is_as_fast_beside_a_flood_of_bulk_as_alone(tmp_path: Path, calls_per_second: float | None) -> None:
    budget = TargetBudget(SystemClock(), calls_per_second=calls_per_second, in_flight=4)
    async with run(tmp_path, budget) as house:
        await house.alarm()  # connected, and the schema known
        await asyncio.sleep(1.0)  # what that took of the second is over
        alone = [await house.alarm() for _ in range(2)]
        house.bedside.say(say("f", patient="f", text="flood500"))
        while house.client.bulk_running < 3:
            await asyncio.sleep(0.005)
        beside: list[float] = []
        busy = 0
        for _ in range(6):
            await asyncio.sleep(0.5)
            busy += house.client.bulk_running == 3
            beside.append(await house.alarm())
        assert busy >= 5, f"it hurt: three sends of bulk were under way {busy} of 6 times"
        assert 5 <= house.client.bulk_done < 500, "bulk went on meanwhile, and was not over"
        assert max(beside) < max(alone) + 0.75 * SLOW, "nobody waited for a call of bulk"


async def test_the_target_never_sees_more_than_its_budget_whatever_shares_it() -> None:
    """Deliveries of three lanes, retries, checks, look-ups and pings, counted where they arrive, over every window of a second."""
    calls, in_flight, seconds = 20, 4, 4.0
    async with PracticeOdoo() as odoo:
        proxy = Proxy(odoo.url)
        await proxy.start()
        odoo.trouble.seconds = 0.15
        drawn = random.Random(3)
        odoo.trouble.otherwise = lambda _: "slow" if drawn.random() < 0.2 else "unavailable" if drawn.random() < 0.1 else None
        budget = TargetBudget(SystemClock(), calls_per_second=calls, in_flight=in_flight)
        settings = OdooEndpoint(url=proxy.url, database=odoo.database, key=odoo.key)
        client = OdooClient("odoo", settings, budget, random.Random(1))
        ends = time.monotonic() + seconds
        kinds: dict[str, int] = dict.fromkeys(("safety", "normal", "bulk", "check", "look", "ping", "failed"), 0)

        async def flow(name: str) -> None:
            number = 0
            while time.monotonic() < ends:
                number += 1
                try:
                    match name:
                        case "safety" | "normal" | "bulk":
                            keys = [f"{name}-{id(kinds)}-{number}-{one}" for one in range(30 if name == "bulk" else 1)]
                            outcomes = await client.send([contact(key) for key in keys], 5.0, lane=name)
                            kinds["failed"] += isinstance(outcomes[0], Retry)
                        case "check":
                            await client.check(contact(f"bulk-{id(kinds)}-1-1"), 5.0, lane="normal")
                        case "look":
                            await client.look(words.find("res.partner", "ref", "x"), 5.0, lane="bulk")
                        case _:
                            await client.ping(5.0)
                    kinds[name] += 1
                except Failure:
                    kinds["failed"] += 1
                await asyncio.sleep(0.2 if name in ("safety", "ping", "check") else 0.0)

        await asyncio.gather(*(flow(name) for name in ("safety", "normal", "normal", "bulk", "bulk", "check", "look", "ping")))
        await client.close()
        await proxy.stop()
    assert all(kinds.values()), f"each kind was there: {kinds}"
    arrivals = proxy.arrivals
    windows = [sum(start <= one < start + 1.0 for one in arrivals) for start in arrivals]
    assert max(windows) <= calls
    assert max(windows) >= calls - 3, "it was used"
    assert len(arrivals) >= calls * seconds * 0.7, "and nearly all of the time"
    assert proxy.most_running <= in_flight
