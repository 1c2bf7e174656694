"""Odoo killed and started again in the middle: everything arrives once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest
from connectors.odoo.bench import Bench, words
from connectors.odoo.conftest import before_practice, behind_proxy
from real.odoo import RealOdoo, start, stop

from isthmus.connectors.odoo import InvoiceLine, ref
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.core.delivery import Delivery
from isthmus.core.outcome import Delivered, Reject, Retry, Unknown

Restart = Callable[[], Awaitable[None]]
COUNT = 30


@pytest.fixture
async def practice_in_a_file(tmp_path: Path) -> AsyncIterator[tuple[Bench, Restart]]:
    odoo = PracticeOdoo(path=tmp_path / "odoo.jsonl")
    await odoo.start()
    bench = await before_practice(odoo, "json-2")

    async def restart() -> None:
        nonlocal odoo
        port = odoo.port
        await odoo.stop()
        odoo = PracticeOdoo(port, path=tmp_path / "odoo.jsonl")
        await odoo.start()

    yield bench, restart
    await bench.close()
    await odoo.stop()


@pytest.fixture
async def real_of_its_own(odoo: RealOdoo, tmp_path: Path) -> AsyncIterator[tuple[Bench, Restart]]:
    """A second server on the same PostgreSQL, which this test may kill."""
    server = await asyncio.to_thread(start, tmp_path / "odoo", odoo.server.dsn)
    bench = await behind_proxy(RealOdoo(server, odoo.database), "json-2")

    async def restart() -> None:
        os.kill(int((tmp_path / "odoo" / "pid").read_text()), signal.SIGKILL)
        again = await asyncio.to_thread(start, tmp_path / "odoo", odoo.server.dsn)
        bench.proxy.target = again.url

    yield bench, restart
    await bench.close()
    await asyncio.to_thread(stop, tmp_path / "odoo")


async def test_practice_stopped_and_started_in_the_middle(practice_in_a_file: tuple[Bench, Restart]) -> None:
    await everything_arrives_once(*practice_in_a_file)


@pytest.mark.odoo
@pytest.mark.slow
async def test_a_real_odoo_killed_and_started_in_the_middle(real_of_its_own: tuple[Bench, Restart]) -> None:
    await everything_arrives_once(*real_of_its_own)


async def everything_arrives_once(bench: Bench, restart: Restart) -> None:
    payer = ref("res.partner", bench.key("payer"), name="Payer")
    service = ref("product.product", bench.key("service"), name="Service", type="service")
    deliveries = [
        words.invoice(
            bench.key(f"invoice-{number}"),
            payer=payer,
            reference=bench.key("all"),
            date=date(2031, 6, 1),
            lines=[InvoiceLine(product=service, name=f"Service {number}", quantity=1, price_unit=number + 1)],
        )
        for number in range(COUNT)
    ]
    client = bench.client(batch=5)
    delivered: dict[str, Delivered] = {}
    hurt = 0
    restarted: asyncio.Task[None] | None = None
    waiting = [(one, False) for one in deliveries]
    while waiting:
        batch, waiting = waiting[:5], waiting[5:]
        if len(delivered) >= COUNT // 3 and restarted is None:
            restarted = asyncio.create_task(restart())
        outcomes = (
            [await carry(client, one, unknown) for one, unknown in batch]
            if any(unknown for _, unknown in batch)
            else await bench.send(*(one for one, _ in batch), client=client)
        )
        for (one, _), outcome in zip(batch, outcomes, strict=True):
            assert not isinstance(outcome, Reject), outcome
            if isinstance(outcome, Delivered):
                delivered[one.key] = outcome
            else:
                hurt += 1
                waiting.append((one, isinstance(outcome, Unknown)))
                await asyncio.sleep(0.02)  # the courier's pause before it tries again
    assert restarted is not None
    await restarted
    assert hurt > 0, "the restart was not felt"
    assert len(delivered) == COUNT
    rows = await bench.rows("account.move", [["ref", "=", bench.key("all")]], "state", "amount_total")
    assert sorted(row["amount_total"] for row in rows) == [float(number + 1) for number in range(COUNT)]
    assert {row["state"] for row in rows} == {"posted"}


async def carry(client: object, delivery: Delivery, unknown: bool) -> object:
    outcome = await client.check(delivery, 10) if unknown else Retry("not-sent")
    if isinstance(outcome, Retry):
        (outcome,) = await client.send([delivery], 10)
    return outcome
