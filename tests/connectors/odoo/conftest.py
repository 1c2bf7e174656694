"""One suite, five Odoos: practice over JSON-2, over XML-RPC and as version 16, and the real 19 over both protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from connectors.odoo.bench import Bench
from connectors.odoo.proxy import Proxy
from msgspec.structs import replace
from real.odoo import OdooServer, RealOdoo, database

from isthmus.connectors.odoo import OdooEndpoint
from isthmus.connectors.odoo.practice import PracticeOdoo

REAL = (pytest.param("real-json-2", marks=pytest.mark.odoo), pytest.param("real-xml-rpc", marks=pytest.mark.odoo))


@pytest.fixture(scope="session")
def shared_odoo(odoo_server: OdooServer) -> Iterator[RealOdoo]:
    """One database for all tests of a worker: they use keys of their own."""
    with database(odoo_server) as shared:
        yield shared


@pytest.fixture
async def practice() -> AsyncIterator[PracticeOdoo]:
    async with PracticeOdoo() as odoo:
        yield odoo


@pytest.fixture(params=["practice-json-2", "practice-xml-rpc", "practice-16", *REAL])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    kind: str = request.param
    if kind.startswith("real"):
        bench = await behind_proxy(request.getfixturevalue("shared_odoo"), "json-2" if kind == "real-json-2" else "xml-rpc")
        bench.real = True
        yield bench
        await bench.close()
    else:
        async with PracticeOdoo(version=16 if kind == "practice-16" else 19) as odoo:
            bench = await before_practice(odoo, "json-2" if kind == "practice-json-2" else "xml-rpc")
            yield bench
            await bench.close()


async def behind_proxy(odoo: RealOdoo, protocol: str) -> Bench:
    proxy = Proxy(odoo.url)
    await proxy.start()
    users, server = odoo.server.users, odoo.server
    admin = OdooEndpoint(
        url=odoo.url, database=odoo.database, key=users["admin"].key, user="admin", company=server.company, protocol="json-2"
    )
    endpoint = replace(admin, url=proxy.url, key=users["isthmus"].key, user="isthmus", protocol=protocol)
    return Bench(endpoint, admin, proxy, users["low"].key)


async def before_practice(odoo: PracticeOdoo, protocol: str) -> Bench:
    proxy = Proxy(odoo.url)
    await proxy.start()
    admin = OdooEndpoint(url=odoo.url, database=odoo.database, key=odoo.key, user=odoo.login, protocol=protocol)
    return Bench(replace(admin, url=proxy.url), admin, proxy, odoo.low_key)
