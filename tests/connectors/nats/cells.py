"""Two hospitals for the drills: cell north publishes what patients said, cell south takes it and notes it in its ward.

Both are whole: an engine on a SQLite journal of its own. ``python cells.py FOLDER SETTINGS PORT`` runs south in a process that can be
killed; its ward is then a socket in the test's process. It prints ``ready``, and a line for each batch that held duplicates.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import uvloop
from engine.crash_node import Counter as WardSocket
from engine.house import CARE, Said, note, saying

from isthmus.connectors.nats import Nats, NatsSource
from isthmus.connectors.nats.source import NatsConsumer
from isthmus.core import Delivery, Event, Interface, Site, subscribe
from isthmus.engine.clock import SystemClock
from isthmus.engine.engine import Engine
from isthmus.engine.lifeline import node_name
from isthmus.engine.telemetry import EngineFailed, MessagesReceived, Notice
from isthmus.formats.cloudevents import Exchange
from isthmus.formats.jsondoc import JsonDocument
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal

other_cells = Nats("other-cells", cell="north")
exchange = Exchange(Said)


@subscribe(Said, to=other_cells, owner="north", classification=CARE, name="other-cells.tell")
def tell(event: Said) -> Iterator[Delivery]:
    yield other_cells.publish("cells.north.said", event)


north = Site("north", interfaces=(saying(),), subscriptions=(tell,), events=(Said,))

from_north = Interface("from-north", source="cells", owner="south", contract=exchange.contract, classification=CARE)


@from_north.translate(*exchange.kinds)
def arrived(document: JsonDocument) -> Iterator[Event]:
    yield exchange.open(document)


south = Site("south", interfaces=(from_north,), subscriptions=(note,), events=(Said,))


class Cell:
    """One engine on a journal in a folder."""

    def __init__(self, folder: Path, site: Site, sources: Mapping[str, Any], clients: Mapping[str, Any], notify: Any = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.notices: list[Notice] = []
        self.journal = SqliteJournal(folder / "journal.sqlite", Keyring.load_or_create(folder / "keyring.json"))
        self.engine = Engine(
            site,
            self.journal,
            sources,
            clients,
            clock=SystemClock(),
            rng=random.Random(),
            node=node_name(),
            pseudonym=lambda _kind, value: value,
            notify=notify or self.notices.append,
        )

    @property
    def duplicates(self) -> int:
        return sum(one.duplicates for one in self.notices if isinstance(one, MessagesReceived))

    async def __aenter__(self) -> Self:
        await self.journal.open()
        await self.engine.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.engine.stop()
        await self.journal.close()

    async def delivered(self) -> int:
        return sum(one.count for one in await self.journal.tallies() if one.noun == "delivery" and one.state == "delivered")


def shout(notice: Notice) -> None:
    if isinstance(notice, MessagesReceived) and notice.duplicates:
        print("duplicates", notice.duplicates, flush=True)  # noqa: T201 - read by the test
    if isinstance(notice, EngineFailed):
        print("failed", notice.line(), flush=True)  # noqa: T201 - read by the test


async def main(folder: Path, settings: NatsSource, ward: int) -> None:
    cell = Cell(folder, south, {"cells": NatsConsumer("cells", settings)}, {"ward": WardSocket(ward)}, shout)
    await cell.journal.open()
    await cell.engine.start()
    print("ready", flush=True)  # noqa: T201 - read by the test
    await cell.engine.wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=NatsSource), int(sys.argv[3])))
