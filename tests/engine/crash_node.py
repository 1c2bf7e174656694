"""A node that is made to be killed: a real engine on a real SQLite journal, between two real sockets. Run by ``test_crash``.

    python crash_node.py FOLDER PORT_OF_ENDPOINT

It prints ``ready PORT`` and then a line for each notice that the drill wants to know about.
"""

from __future__ import annotations

import asyncio
import collections
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from engine.house import OK, Said, note, saying

from isthmus.connectors.port import Accept
from isthmus.core import Delivery, Outcome, Retry, Site, Unknown
from isthmus.core.policy import Lane
from isthmus.engine.clock import SystemClock
from isthmus.engine.engine import Engine
from isthmus.engine.lifeline import node_name
from isthmus.engine.telemetry import ClaimsReleased, EngineFailed, Notice
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal


class Lines:
    """A source: one message a line, answered by a line, in order."""

    name = "bedside"
    port = 0

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()

    async def start(self, accept: Accept) -> None:
        self._accept = accept
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self._accept(self.name, line.rstrip(), "", lambda ack, _taken: writer.write((ack or b"") + b"\n"))

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def stop(self) -> None: ...


class Counter:
    """A client of the endpoint in the test's process; one connection for each call that runs."""

    max_batch, in_flight = 1, 4

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        (one,) = deliveries
        said = await self._ask({"do": "note", "key": one.key, "patient": one.ordering_key, "body": one.body.decode()})
        return [OK if said == "done" else Unknown("broken")]

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        return OK if await self._ask({"do": "look", "key": delivery.key}) == "there" else Retry("not-there")

    async def look(self, lookup: Any, timeout: float, *, lane: Lane = "normal") -> object:
        raise NotImplementedError

    async def ping(self, timeout: float) -> None: ...

    async def _ask(self, question: dict[str, str]) -> str:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(json.dumps(question).encode() + b"\n")
        answer = (await reader.readline()).decode().strip()
        self._idle.append((reader, writer))
        return answer


def tell(notice: Notice) -> None:
    if isinstance(notice, ClaimsReleased):
        print("released", notice.claims, flush=True)  # noqa: T201 - read by the test
    if isinstance(notice, EngineFailed):
        print("failed", notice.line(), flush=True)  # noqa: T201 - read by the test


async def main(folder: Path, endpoint: int) -> None:
    journal = SqliteJournal(folder / "journal.sqlite", Keyring.load_or_create(folder / "keyring.json"))
    await journal.open()
    source = Lines()
    engine = Engine(
        Site("crash", interfaces=(saying(),), subscriptions=(note,), events=(Said,)),
        journal,
        {source.name: source},
        {"ward": Counter(endpoint)},
        clock=SystemClock(),
        rng=random.Random(),
        node=node_name(),
        pseudonym=lambda _kind, value: value,
        notify=tell,
    )
    await engine.start()
    print("ready", source.port, flush=True)  # noqa: T201 - read by the test
    await engine.wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
