"""The contract suite of clients, on the practice Odoo and on the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from connectors.odoo.bench import Bench, words
from connectors.odoo.conftest import before_practice, behind_proxy

from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.connectors.port import Client
from isthmus.connectors.suite import MARKER, Behaviour, Clause, clause_name, clauses
from isthmus.core.delivery import Delivery

CLAUSES = clauses("takes", "refuses", "down", "slow", "dies")


class OdooStand:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.client: Client = bench.client()

    def delivery(self, key: str) -> Delivery:
        mine = self.bench.key(key)
        return words.upsert("res.partner", mine, {"name": MARKER, "ref": mine})

    async def behave(self, behaviour: Behaviour) -> None:
        proxy = self.bench.proxy
        proxy.clear()
        if behaviour == "down":
            await proxy.stop()
            return
        if proxy.port and not proxy.listening:
            await proxy.start()
        match behaviour:
            case "refuses":  # the right to write was taken away
                proxy.replace["Authorization"] = f"bearer {self.bench.low_key}"
            case "slow":
                proxy.plan("silent", "/load", times=1000)
            case "dies":
                proxy.plan("drops", "/load", times=1000)
            case _:
                pass

    async def effects(self, delivery: Delivery) -> int:
        return await self.bench.count("res.partner", [["ref", "=", delivery.key]])


@pytest.fixture(params=["practice", pytest.param("real", marks=pytest.mark.odoo)])
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[OdooStand]:
    if request.param == "real":
        bench = await behind_proxy(request.getfixturevalue("shared_odoo"), "json-2")
        yield OdooStand(bench)
        await bench.close()
    else:
        async with PracticeOdoo() as odoo:
            bench = await before_practice(odoo, "json-2")
            yield OdooStand(bench)
            await bench.close()


@pytest.mark.parametrize("clause", CLAUSES, ids=clause_name)
async def test_contract(clause: Clause, stand: OdooStand) -> None:
    await clause(stand)
