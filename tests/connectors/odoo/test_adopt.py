"""What a hospital kept in Odoo before is used, not made a second time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from isthmus.connectors.odoo import Move, Odoo, OdooEndpoint, connect, ref
from isthmus.connectors.odoo.client import OdooClient
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.core import Bug, Delivered

odoo = Odoo("odoo")
GLOVES = ref("product.product", "item-GLV", adopt="default_code", name="Gloves", default_code="GLV", type="consu", is_storable=True)


class Unlimited:
    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:
        yield


@asynccontextmanager
async def client_of(server: PracticeOdoo) -> AsyncIterator[OdooClient]:
    client = connect("odoo", OdooEndpoint(url=server.url, database=server.database, key=server.key), Unlimited())
    await client.open()
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def server() -> AsyncIterator[PracticeOdoo]:
    async with PracticeOdoo() as running:
        yield running


async def use(client: OdooClient, key: str) -> None:
    (outcome,) = await client.send([odoo.movement(key, moves=[Move(product=GLOVES, quantity=2)])], timeout=30)
    assert isinstance(outcome, Delivered)


async def make(client: OdooClient, key: str, code: str) -> None:
    values = {"name": f"kept before as {key}", "default_code": code, "type": "consu", "is_storable": True}
    (outcome,) = await client.send([odoo.upsert("product.product", key, values)], timeout=30)
    assert isinstance(outcome, Delivered)


async def test_a_product_with_the_same_code_is_taken(server: PracticeOdoo) -> None:
    async with client_of(server) as client:
        await make(client, "old-1", "GLV")
        await use(client, "use-1")
    async with client_of(server) as client:  # a new process finds the same one
        await use(client, "use-2")
    (product,) = server.rows("product.product", [["default_code", "=", "GLV"]], ["name"])
    assert product["name"] == "kept before as old-1"
    assert {move["product_id"][0] for move in server.rows("stock.move", fields=["product_id"])} == {product["id"]}


async def test_none_is_made_when_there_is_none_and_found_again(server: PracticeOdoo) -> None:
    for key in ("use-1", "use-2"):
        async with client_of(server) as client:
            await use(client, key)
    assert [row["name"] for row in server.rows("product.product", [["default_code", "=", "GLV"]], ["name"])] == ["Gloves"]


async def test_where_two_have_the_code_ours_is_made_once(server: PracticeOdoo) -> None:
    async with client_of(server) as client:
        await make(client, "old-1", "GLV")
        await make(client, "old-2", "GLV")
        await use(client, "use-1")
        await use(client, "use-2")
    assert server.count("product.product", [["default_code", "=", "GLV"]]) == 3


def test_the_field_must_be_among_the_values() -> None:
    with pytest.raises(Bug):
        ref("product.product", "item-GLV", adopt="barcode", name="Gloves")
