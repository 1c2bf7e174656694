"""The practice Odoo itself: what it promises beside what the suite certifies."""

from __future__ import annotations

import time
from pathlib import Path

from connectors.odoo.bench import words

from isthmus.connectors.odoo import OdooEndpoint
from isthmus.connectors.odoo.client import OdooClient
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.connectors.suite import Unlimited
from isthmus.core.outcome import Delivered


async def fill(odoo: PracticeOdoo, *names: str) -> None:
    client = OdooClient("odoo", OdooEndpoint(url=odoo.url, database=odoo.database, key=odoo.key), Unlimited())
    try:
        outcomes = await client.send([words.upsert("res.partner", name, {"name": name, "ref": "x"}) for name in names], 10)
        assert all(isinstance(one, Delivered) for one in outcomes)
    finally:
        await client.close()


async def test_it_starts_at_once() -> None:
    started = time.perf_counter()
    async with PracticeOdoo() as odoo:
        assert odoo.port
        assert time.perf_counter() - started < 0.2


async def test_it_keeps_what_it_was_given_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "odoo.jsonl"
    async with PracticeOdoo(path=path) as odoo:
        await fill(odoo, "a", "b")
    async with PracticeOdoo(path=path) as odoo:
        assert odoo.count("res.partner", [["ref", "=", "x"]]) == 2
        await fill(odoo, "b", "c")
        assert odoo.count("res.partner", [["ref", "=", "x"]]) == 3, "external ids are kept too"


async def test_a_line_that_a_kill_cut_off_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    path = tmp_path / "odoo.jsonl"
    async with PracticeOdoo(path=path) as odoo:
        await fill(odoo, "a")
        whole = path.read_bytes()
        await fill(odoo, "b")
    path.write_bytes(path.read_bytes()[: len(whole) + 20])
    async with PracticeOdoo(path=path) as odoo:
        assert odoo.count("res.partner", [["ref", "=", "x"]]) == 1
        await fill(odoo, "b")
        assert odoo.count("res.partner", [["ref", "=", "x"]]) == 2
    assert path.read_bytes().startswith(whole)


async def test_it_can_be_counted_by_condition() -> None:
    async with PracticeOdoo() as odoo:
        await fill(odoo, "a", "b")
        assert odoo.count("res.partner", ["|", ["name", "=", "a"], ["name", "=", "b"]]) == 2
        assert odoo.rows("res.partner", [["name", "=", "a"]], ["name"])[0]["name"] == "a"
