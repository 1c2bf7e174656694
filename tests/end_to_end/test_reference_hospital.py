"""The whole way on real parts: recorded and invented feeds over eight connections, PostgreSQL, and a real Odoo 19.

Everything is accounted for; what Odoo holds equals what the plans say; the same again changes nothing; and all of that with the
process killed, and Odoo away, in the middle.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import expected
import pytest
from real.odoo import RealOdoo
from running import CORPUS, RunningSite, on_postgres

from isthmus.app.messages_file import messages_in
from isthmus.app.practice.day import day
from isthmus.app.practice.speech import Utterance
from isthmus.connectors.http.practice import PracticePortal
from isthmus.connectors.mllp.practice import PracticeReceiver

HL7 = CORPUS / "hl7v2"
SAMPLES = ("DFT-P03*", "DFT-P11*", "SIU-S*", "RDS-*", "RDE-*", "ORM-*", "OML-*")
pytestmark = [pytest.mark.postgres, pytest.mark.odoo, pytest.mark.slow, pytest.mark.timeout(600)]


def morning(count: int) -> list[Utterance]:
    said = day("end to end", datetime(2026, 3, 2, 8, tzinfo=UTC))
    return list(islice((one for one in said if one.system != "supply"), count))


@pytest.fixture
def feeds(tmp_path: Path) -> list[Path]:
    """The practice hospital's morning as a file; beside it the public corpus, where it lies."""
    file = tmp_path / "morning.hl7"
    file.write_bytes(b"".join(b"\x0b" + one.body + b"\x1c\r" for one in morning(400)))
    if not HL7.is_dir():
        return [file]
    samples = [path for pattern in SAMPLES for path in sorted((HL7 / "ms-fhir-converter" / "samples").glob(pattern))]
    return [HL7 / "simhospital" / "messages-shared.out", *samples, file]


@pytest.fixture
async def around() -> AsyncIterator[tuple[PracticeReceiver, PracticePortal]]:
    lab, portal = PracticeReceiver(), PracticePortal()
    await lab.start()
    await portal.start()
    yield lab, portal
    await lab.stop()
    await portal.stop()


class Gate:
    """A door between Isthmus and Odoo that can be shut: connections in it break, and new ones are refused."""

    def __init__(self, target: str) -> None:
        self._target = target.removeprefix("http://").split(":")
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0
        self.passed = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.passed += 1
        try:
            there, back = await asyncio.open_connection(self._target[0], int(self._target[1]))
            try:
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            finally:
                back.close()
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            writer.transport.abort()
            self._open.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def gate(odoo: RealOdoo) -> AsyncIterator[Gate]:
    door = Gate(odoo.url)
    await door.open()
    yield door
    await door.shut()


@pytest.fixture
async def site(
    gate: Gate, odoo: RealOdoo, postgres_dsn: str, around: tuple[PracticeReceiver, PracticePortal], tmp_path: Path
) -> AsyncIterator[RunningSite]:
    lab, portal = around
    running = RunningSite(
        on_postgres(tmp_path / "hospital"),
        {
            "TEST_DSN": postgres_dsn,
            "ISTHMUS_ODOO_KEY": odoo.server.users["isthmus"].key,
            "ISTHMUS__ENDPOINTS__ODOO__URL": f"http://127.0.0.1:{gate.port}",
            "ISTHMUS__ENDPOINTS__ODOO__DATABASE": odoo.database,
            "ISTHMUS__ENDPOINTS__ODOO__COMPANY": str(odoo.server.company),
            "ISTHMUS__ENDPOINTS__ODOO__CALLS_PER_SECOND": "200",
            "ISTHMUS__ENDPOINTS__LAB__PORT": str(lab.port),
            "ISTHMUS__ENDPOINTS__PORTAL__URL": portal.url,
        },
        tmp_path / "data",
        _free_port(),
    )
    await running.start()
    yield running
    await running.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Books:
    """What a person would count in Odoo."""

    def __init__(self, odoo: RealOdoo) -> None:
        self._odoo = odoo

    async def ask(self, model: str, method: str, **arguments: Any) -> Any:
        headers = {"Authorization": f"bearer {self._odoo.server.users['admin'].key}", "X-Odoo-Database": self._odoo.database}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self._odoo.url}/json/2/{model}/{method}", json=arguments) as response,
        ):
            assert response.status == 200, f"{model}.{method}: {response.status}"
            return await response.json()

    async def counts(self) -> dict[str, int]:
        archived = {"active_test": False}
        return {
            "account.move": await self.ask("account.move", "search_count", domain=[["move_type", "in", ["out_invoice", "out_refund"]], ["state", "=", "posted"]]),
            "stock.picking": await self.ask("stock.picking", "search_count", domain=[["state", "=", "done"]]),
            "project.task": await self.ask("project.task", "search_count", domain=[["project_id", "!=", False]], context=archived),
            "calendar.event": await self.ask("calendar.event", "search_count", domain=[], context=archived),
        }  # fmt: skip

    async def marks(self) -> dict[str, list[list[Any]]]:
        """Every record with the time of its last change: equal marks mean that nothing was touched."""
        found = {}
        for model in (*expected.MODELS.values(), "res.partner", "product.product"):
            rows = await self.ask(model, "search_read", domain=[], fields=["write_date"], context={"active_test": False}, order="id")
            found[model] = [[row["id"], row["write_date"]] for row in rows]
        return found

    async def words(self) -> str:
        """All text that our records carry."""
        texts = []
        for model, fields in {
            "account.move": ["name", "ref", "narration", "invoice_origin", "payment_reference"],
            "account.move.line": ["name"],
            "res.partner": ["name", "ref", "comment"],
            "stock.picking": ["name", "origin", "note"],
            "project.task": ["name", "description"],
            "calendar.event": ["name", "description", "location"],
            "mail.message": ["body", "subject"],
            "product.product": ["name", "description"],
        }.items():
            texts += [str(row) for row in await self.ask(model, "search_read", domain=[], fields=fields, context={"active_test": False})]
        return "\n".join(texts)


def _accounted(sheet: dict[str, Any], sent: set[bytes], verdicts: dict[str, int]) -> None:
    sheets = sheet["interfaces"].values()
    assert sheet["balances"], sheet["problems"]
    assert sum(one["received"] for one in sheets) == len(sent)
    assert sum(one["translated"] for one in sheets) == verdicts["accepted"]
    assert sum(one["invalid"] for one in sheets) == verdicts.get("invalid", 0)
    assert sum(one["refused"] for one in sheets) == verdicts.get("refused", 0)
    assert sum(one["failed"] + one["waiting"] for one in sheets) == 0
    assert sheet["dead"] == 0, list(sheet["problems"])


def _bodies(feeds: list[Path]) -> list[bytes]:
    return [body for path in feeds for body in messages_in(path.read_bytes())]


async def test_everything_arrives_once_and_the_same_again_changes_nothing(
    site: RunningSite, odoo: RealOdoo, feeds: list[Path], around: tuple[PracticeReceiver, PracticePortal]
) -> None:
    bodies, books = _bodies(feeds), Books(odoo)
    wanted, verdicts = expected.records(bodies)

    report = await site.feed(*feeds)
    assert (report["messages"], report["unanswered"]) == (len(bodies), 0)
    sheet = await site.settled(240)
    _accounted(sheet, set(bodies), verdicts)
    assert await books.counts() == wanted
    assert min(wanted.values()) > 0, "a count of nothing proves nothing"

    before, taken = await books.marks(), (len(around[0].effects), len(around[1].effects))
    again = await site.feed(*feeds)
    assert again["taken"] == report["taken"]
    sheet = await site.settled(60)
    assert sum(one["duplicates"] for one in sheet["interfaces"].values()) >= len(set(bodies))
    assert await books.marks() == before
    assert (len(around[0].effects), len(around[1].effects)) == taken
    assert await site.stop() == 0

    names = {name for one in morning(400) for name in _people(one.body)}
    words = await books.words()
    assert not [name for name in names if name in words], "a patient's name or number reached Odoo"
    assert not [name for name in names if name in site.log()], "a patient's name or number was logged"


async def test_a_killed_process_and_an_odoo_that_is_away_lose_and_double_nothing(
    site: RunningSite, odoo: RealOdoo, feeds: list[Path], gate: Gate
) -> None:
    bodies, books = _bodies(feeds), Books(odoo)
    wanted, verdicts = expected.records(bodies)

    feeding = asyncio.create_task(site.feed(*feeds))
    hurt = 0
    for pause in (3.0, 2.0, 2.5):
        await asyncio.sleep(pause)
        await site.kill()
        hurt += _open(await site.balance())
        await site.start()
    await gate.shut()
    await asyncio.sleep(4)
    away = await site.balance()
    await gate.open()

    report = await feeding
    assert report["unanswered"] == 0
    _accounted(await site.settled(300), set(bodies), verdicts)
    assert await books.counts() == wanted
    assert hurt > 0, "the kills hit nothing that was on its way"
    assert away["open"] > 0, "nobody missed Odoo"


def _open(sheet: dict[str, Any]) -> int:
    return int(sheet["open"])


def _people(body: bytes) -> list[str]:
    pid = next(one for one in body.decode().split("\r") if one.startswith("PID")).split("|")
    return [pid[3].split("^")[0], pid[5].split("^")[0], pid[18].split("^")[0]]
