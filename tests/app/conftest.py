"""A small site of real files, and the real command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

CONFIG = """
[site]
name = "west"
[journal]
kind = "memory"
[sources.cabinet]
kind = "file"
folder = "in"
[endpoints.portal]
kind = "http"
url = "http://127.0.0.1:9"
"""

SYSTEMS = """
from isthmus.connectors.http.words import Http

portal = Http("portal", owner="web-team")
"""

INTERFACE = '''
"""The supply cabinet says what was used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from msgspec import Struct

from isthmus.core import Classification, Delivery, Event, Interface, canonical, subscribe
from isthmus.formats.jsondoc import Contract, Json, JsonDocument

from ...systems import portal


class Use(Struct):
    use: str
    product: str
    quantity: int


class Price(Struct):
    found: bool
    amount: float


@canonical("supply.taken", version=1, owner="stores", key=("use",), ordered_by="product")
class SupplyTaken(Event, frozen=True, kw_only=True):
    use: str
    product: str
    quantity: int


CLASS = Classification(criticality="revenue", latency="minutes", volume="2k/day", failure="stock is wrong", ordered_by="product")
cabinet = Interface(
    "supply.cabinet", source="cabinet", owner="stores", classification=CLASS,
    contract=Contract(Json("use", id_field="use"), {"use": Use}),
)


@cabinet.translate("use")
def taken(document: JsonDocument) -> Iterator[Event]:
    use = document.read(Use)
    yield SupplyTaken(use=use.use, product=use.product, quantity=use.quantity)


@subscribe(SupplyTaken, to=portal, owner="stores", classification=CLASS)
async def tell(event: SupplyTaken) -> AsyncIterator[Delivery]:
    price = await portal.get(f"/prices/{event.product}", Price)
    yield portal.post("/uses", {"product": event.product, "cost": price.amount * event.quantity}, key=f"use-{event.use}")
'''

USE = '{"use": "U1", "product": "GAUZE", "quantity": 3}'

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def make_site(tmp_path: Path) -> Write:
    """Write a site: the good one, with these files over it (None removes nothing; empty text makes an empty file)."""

    def write(changes: Mapping[str, str]) -> Path:
        folder = tmp_path / "westwing"
        files = {"isthmus.toml": CONFIG, "systems.py": SYSTEMS, "interfaces/cabinet/interface.py": INTERFACE, **changes}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    return write


@pytest.fixture
def isthmus() -> Run:
    """Run the real command: ``isthmus("check", folder)``; plain output, an environment without our variables."""

    def run(*words: object, stdin: str = "", cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ISTHMUS", "NO_COLOR", "FORCE_COLOR"))}
        return subprocess.run(
            [str(Path(sys.executable).with_name("isthmus")), *map(str, words)],
            input=stdin, text=True, capture_output=True, cwd=cwd, env=clean | environment, timeout=60, check=False,
        )  # fmt: skip

    return run
