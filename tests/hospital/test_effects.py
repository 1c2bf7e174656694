"""What the reference hospital says to Odoo is taken, has its effect once, and is the same effect when the same facts come again."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from isthmus.app.planning import DryRun, dry_run
from isthmus.app.practice.day import day
from isthmus.connectors.odoo import OdooEndpoint, connect
from isthmus.connectors.odoo.client import OdooClient
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.core import Delivered, Delivery, Outcome, Site

FIXTURES = sorted((Path(__file__).parents[2] / "hospital" / "interfaces").glob("*/fixtures/*"))
MODELS = ("account.move", "stock.picking", "calendar.event", "project.task", "res.partner", "product.product")


class Unlimited:
    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:
        yield


@pytest.fixture
async def practice() -> AsyncIterator[tuple[PracticeOdoo, OdooClient]]:
    async with PracticeOdoo() as odoo:
        client = connect("odoo", OdooEndpoint(url=odoo.url, database=odoo.database, key=odoo.key), Unlimited())
        await client.open()
        try:
            yield odoo, client
        finally:
            await client.close()


def to_odoo(runs: Sequence[DryRun]) -> list[Delivery]:
    return [one for run in runs for one in run.plan.deliveries if one.endpoint == "odoo"]


async def send(client: OdooClient, deliveries: Sequence[Delivery]) -> list[Outcome]:
    return [
        outcome for start in range(0, len(deliveries), 100) for outcome in await client.send(deliveries[start : start + 100], timeout=60)
    ]


def counts(odoo: PracticeOdoo) -> dict[str, int]:
    return {model: odoo.count(model) for model in MODELS}


def afresh(body: bytes) -> bytes:
    """The same facts under another control id; a JSON document is as it was."""
    fields = body.split(b"|", 10)
    return b"|".join([*fields[:9], b"AGAIN" + fields[9], *fields[10:]]) if body.startswith(b"MSH") else body


async def test_a_practice_day(site: Site, practice: tuple[PracticeOdoo, OdooClient]) -> None:
    """Every delivery has its effect; the same facts under new control ids change nothing."""
    odoo, client = practice
    said = [one.body for one in islice(day("hospital", datetime(2026, 3, 1, 7, tzinfo=UTC), per_day=200), 400)]
    runs = [dry_run(site, body) for body in said]
    assert [run for run in runs if not run.ok] == []
    first = to_odoo(runs)
    outcomes = await send(client, first)
    assert Counter(type(one).__name__ for one in outcomes) == {"Delivered": len(first)}
    after = counts(odoo)
    assert all(after[model] > 0 for model in ("account.move", "stock.picking", "calendar.event", "project.task"))
    again = to_odoo([dry_run(site, afresh(body)) for body in said])
    assert [(one.key, one.body) for one in again] == [(one.key, one.body) for one in first]
    assert all(isinstance(one, Delivered) for one in await send(client, again))
    assert counts(odoo) == after
    assert {row["state"] for row in odoo.rows("account.move")} == {"posted"}
    assert {row["state"] for row in odoo.rows("stock.picking")} == {"done"}


@pytest.mark.parametrize(
    "fixture", [path for path in FIXTURES if path.suffix == ".hl7" or path.stem in ("use", "return")], ids=lambda path: path.name
)
async def test_each_fixture(fixture: Path, site: Site, practice: tuple[PracticeOdoo, OdooClient]) -> None:
    """Alone, in a new database: products, partners and projects are made as they are needed."""
    _, client = practice
    deliveries = to_odoo([dry_run(site, fixture.read_bytes())])
    assert all(isinstance(one, Delivered) for one in await send(client, deliveries))


async def test_a_discharge_that_is_cancelled_and_happens_after_all(
    plan: Callable[[str], DryRun], practice: tuple[PracticeOdoo, OdooClient]
) -> None:
    odoo, client = practice
    discharge = next(path for path in FIXTURES if path.name == "discharge.hl7").read_text()
    cancelled = next(path for path in FIXTURES if path.name == "discharge-cancelled.hl7").read_text()
    states = []
    for message in (discharge, cancelled, discharge.replace("20260301080000", "20260301113000")):
        await send(client, to_odoo([plan(message)]))
        (task,) = odoo.rows("project.task", fields=["state", "description"])
        states.append(task["state"])
    assert states == ["01_in_progress", "1_canceled", "01_in_progress"]
    assert "11:30" in task["description"]


async def test_an_appointment_s_life(plan: Callable[[str], DryRun], practice: tuple[PracticeOdoo, OdooClient]) -> None:
    odoo, client = practice
    seen = []
    for name in ("booked", "rescheduled", "cancelled", "booked", "missed"):
        await send(client, to_odoo([plan(next(path for path in FIXTURES if path.stem == name).read_text())]))
        (entry,) = odoo.rows("calendar.event", fields=["name", "start", "active", "privacy"])
        seen.append((entry["name"], entry["start"], entry["active"]))
        assert entry["privacy"] == "private"
    assert seen == [
        ("Appointment: OPD / 07", "2026-03-10 08:00:00", True),
        ("Appointment: OPD / 07", "2026-03-12 13:00:00", True),
        ("Appointment: OPD / 07", "2026-03-12 13:00:00", False),
        ("Appointment: OPD / 07", "2026-03-10 08:00:00", True),
        ("Missed appointment: OPD / 07", "2026-03-10 08:00:00", True),
    ]
