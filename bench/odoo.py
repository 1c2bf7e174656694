# ruff: noqa: INP001, T201 - a script for people
"""How many records a second the connector writes into a real Odoo: one by one and in batches. Not a test: nothing is asserted.

    tools/odoo-up .cache/odoo > .cache/odoo.json
    .venv/bin/python bench/odoo.py .cache/odoo.json [xml-rpc]
    tools/odoo-down .cache/odoo

Each row is a fresh client; ``calls`` are HTTP calls to Odoo.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg

from isthmus.connectors.odoo import InvoiceLine, Move, Odoo, OdooEndpoint, ref
from isthmus.connectors.odoo.client import OdooClient
from isthmus.core.delivery import Delivery
from isthmus.core.outcome import Delivered

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


async def measure(endpoint: OdooEndpoint, title: str, deliveries: Sequence[Delivery], size: int) -> None:
    budget = Counting()
    client = OdooClient("odoo", endpoint, budget)
    await client.open()
    before, started = budget.calls, time.perf_counter()
    unchanged = 0
    for first in range(0, len(deliveries), size):
        outcomes = await client.send(deliveries[first : first + size], 120)
        if wrong := [one for one in outcomes if not isinstance(one, Delivered)]:
            raise RuntimeError(wrong[0])
        unchanged += sum(isinstance(one, Delivered) and one.unchanged for one in outcomes)
    took = time.perf_counter() - started
    print(f"{title:<34} {size:>5} {len(deliveries) / took:>8.0f}/s  {budget.calls - before:>5} calls  {unchanged:>5} unchanged")
    await client.close()


async def main(info: dict[str, Any], protocol: str) -> None:
    database = f"run_{uuid.uuid4().hex[:8]}"
    server = await asyncpg.connect(info["dsn"])
    await server.execute(f"CREATE DATABASE {database} TEMPLATE {info['template']}")
    key = info["users"]["isthmus"]["key"]
    endpoint = OdooEndpoint(url=info["url"], database=database, key=key, user="isthmus", protocol=protocol, company=info["company"])
    try:
        await measure(endpoint, "warm up", [partner(999_999)], 1)
        kinds: tuple[tuple[str, Callable[[int], Delivery], int], ...] = (
            ("upsert new", partner, 500),
            ("upsert again, known to nobody", partner, 500),
            ("upsert changed", lambda number: partner(number, "M"), 300),
            ("invoice, posted", invoice, 100),
            ("movement, done", movement, 100),
        )
        for title, make, count in kinds:
            await measure(endpoint, title, [make(number) for number in range(count, count + 40)], 1)
            await measure(endpoint, title, [make(number) for number in range(count)], 100)
    finally:
        await server.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await server.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2] if len(sys.argv) > 2 else "json-2"))  # noqa: PLR2004
