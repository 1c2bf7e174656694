"""The reference hospital and a real Odoo 19: every fixture and a morning of the practice hospital, with the rights of the service user."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from real.odoo import RealOdoo

from isthmus.app.messages_file import messages_in
from isthmus.app.planning import dry_run
from isthmus.app.practice.day import day
from isthmus.connectors.odoo import OdooEndpoint, connect
from isthmus.core import Delivered, Delivery, Outcome, Reject, Site

pytestmark = [pytest.mark.odoo, pytest.mark.slow]
SAMPLES = Path(__file__).parents[3] / "shared" / "corpus" / "hl7v2" / "ms-fhir-converter" / "samples"
"""Of the public corpus, where it is there: other hospitals' feeds."""
FIXTURES = sorted((Path(__file__).parents[2] / "hospital" / "interfaces").glob("*/fixtures/*"))


class Unlimited:
    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:
        yield


def said() -> list[bytes]:
    fixtures = [path.read_bytes() for path in FIXTURES if path.suffix == ".hl7" or path.stem in ("use", "return")]
    samples = [body for path in sorted(SAMPLES.glob("*.hl7")) for body in messages_in(path.read_bytes())]
    return [*fixtures, *samples, *(one.body for one in islice(day("real", datetime(2026, 3, 1, 8, tzinfo=UTC), per_day=120), 120))]


def to_odoo(site: Site) -> list[Delivery]:
    return [one for body in said() for one in dry_run(site, body).plan.deliveries if one.endpoint == "odoo"]


async def test_all_of_it_has_its_effect_and_has_it_once(site: Site, odoo: RealOdoo) -> None:
    deliveries = to_odoo(site)
    settings = OdooEndpoint(url=odoo.url, database=odoo.database, key=odoo.server.users["isthmus"].key, company=odoo.server.company)
    client = connect("odoo", settings, Unlimited())
    await client.open()
    try:
        first = await client.send(deliveries, timeout=110)
        again = await client.send(deliveries, timeout=110)
    finally:
        await client.close()
    assert [one for one in first if not isinstance(one, Delivered)] == []
    assert [one for one in again if isinstance(one, Reject)] == []
    receipts = Counter(receipt.reference.partition("/")[0] for one in first if isinstance(one, Delivered) for receipt in one.receipts)
    assert {"account.move", "stock.picking", "calendar.event", "project.task"} <= receipts.keys()
    made, found = records(deliveries, first), records(deliveries, again)
    assert len(made) > 70
    assert made <= found, "the second time finds the records of the first"


def records(deliveries: list[Delivery], outcomes: Sequence[Outcome]) -> set[tuple[str, str]]:
    """Which record each key has; a withdrawal of what was never there has none."""
    return {
        (one.key, receipt.reference)
        for one, outcome in zip(deliveries, outcomes, strict=True)
        if isinstance(outcome, Delivered)
        for receipt in outcome.receipts
        if receipt.kind == "business" and "/" in receipt.reference
    }
