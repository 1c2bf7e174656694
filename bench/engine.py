# ruff: noqa: INP001, T201, S311, ARG002 - a script for people, its figures need no secrets
"""What the engine costs: the whole way of a message on a real journal, with an endpoint that answers at once.

    python bench/engine.py [--messages 20000] [--connections 64] [--patients 500] [--in-flight 16] [--journal sqlite|null] [--profile]

``null`` is a journal that keeps nothing durable and costs next to nothing: what is left is the engine itself. Sources are
``--connections`` senders that each wait for their answer before they send again. The pure stages are measured alone as well.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import random
import tempfile
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from isthmus.connectors.port import Accept
from isthmus.core import (
    Classification,
    Delivered,
    Delivery,
    Endpoint,
    Event,
    Header,
    Interface,
    Message,
    Outcome,
    Receipt,
    Site,
    Verdict,
    Violation,
    canonical,
    subscribe,
)
from isthmus.core.policy import Lane
from isthmus.engine.answers import Answers
from isthmus.engine.clock import SystemClock
from isthmus.engine.engine import Engine
from isthmus.engine.planning import Planning
from isthmus.engine.telemetry import Meters
from isthmus.engine.translator import Translator
from isthmus.engine.triage import Triage
from isthmus.journals.port import Accepted, Arrival, Claimed, Planned, Position, Settlement, Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal

CARE = Classification(criticality="care", latency="seconds", volume="4000k/day", ordered_by="patient")
PADDING = b"x" * 1_400
OK = Delivered((Receipt("application", "AA"),))


class Tiny:
    """``KIND|sender|control id|patient|text``: the engine's own cost shows, not a parser's."""

    name = "tiny"

    def header(self, body: bytes) -> Header:
        kind, sender, control, _ = body.split(b"|", 3)
        return Header(kind.decode(), sender.decode(), control.decode())

    def open(self, body: bytes) -> list[bytes]:
        return body.split(b"|")

    def identifiers(self, document: list[bytes]) -> tuple[tuple[str, str], ...]:
        return (("patient", document[3].decode()),)

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        return b"ACK|%s|%s|%s" % (body.split(b"|", 3)[2], reply_id.encode(), at.encode())


class Contract:
    format = Tiny()
    kinds = ("SAY",)

    def check(self, document: list[bytes]) -> tuple[Violation, ...]:
        return () if document[3] else (Violation("patient", "required", "write one"),)


@canonical("patient.said", version=1, owner="ward", key=("number",), ordered_by="patient")
class Said(Event, frozen=True, kw_only=True):
    number: str
    patient: str
    text: str


ward = Endpoint("ward")
talk = Interface("talk", source="bedside", owner="ward", contract=Contract(), classification=CARE)


@talk.translate("SAY")
def said(document: list[bytes]) -> Iterator[Event]:
    yield Said(number=document[2].decode(), patient=document[3].decode(), text="hello")


@subscribe(Said, to=ward, owner="ward", classification=CARE)
def note(event: Said) -> Iterator[Delivery]:
    yield Delivery(endpoint="ward", operation="note", key=event.number, body=b'{"text":"%s"}' % event.text.encode())


SITE = Site("bench", interfaces=(talk,), subscriptions=(note,), events=(Said,))


class Senders:
    """A source with many connections; each sends its next message when the one before was answered."""

    name = "bedside"

    def __init__(self, messages: int, connections: int, patients: int) -> None:
        self.left, self.connections, self.patients = messages, connections, patients
        self.open = 0
        self.sent_at: dict[int, float] = {}
        self.waits: list[float] = []

    async def start(self, accept: Accept) -> None:
        self._accept = accept

    def go(self) -> None:
        for _ in range(self.connections):
            self._next()

    def _next(self) -> None:
        if self.left:
            self.left -= 1
            self.open += 1
            number, begun = self.left, time.perf_counter()

            def reply(_ack: bytes | None, _taken: bool) -> None:
                self.open -= 1
                self.waits.append(time.perf_counter() - begun)
                asyncio.get_running_loop().call_soon(self._next)

            self._accept(self.name, b"SAY|bed|%d|p%d|%s" % (number, number % self.patients, PADDING), "here", reply)

    @property
    def counts(self) -> Counter[str]:
        return Counter()

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def stop(self) -> None: ...


class Desk:
    """Delivers at once."""

    def __init__(self, in_flight: int, max_batch: int) -> None:
        self.in_flight, self.max_batch = in_flight, max_batch
        self.count = 0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        await asyncio.sleep(0)
        self.count += len(deliveries)
        return [OK] * len(deliveries)

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        return OK

    async def look(self, lookup: Any, timeout: float, *, lane: Lane = "normal") -> object:
        raise NotImplementedError

    async def ping(self, timeout: float) -> None: ...


class NullJournal:
    """Just enough of the port to keep the loops going; nothing is durable, nothing is found again."""

    def __init__(self) -> None:
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._events: deque[Any] = deque()
        self._due: deque[Delivery] = deque()
        self._seq = 0
        self.calls: Counter[str] = Counter()

    async def _commit(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(0.0005)

    async def receive(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        await self._commit("receive")
        self._messages.update((one.message.id, one.message) for one in arrivals)
        return [Accepted(one.message.id, one.ack) for one in arrivals]

    async def backlog(self) -> dict[str, int]:
        return {"talk": len(self._messages)}

    async def untranslated(self, limit: int, interfaces: object = None) -> Sequence[Message]:
        return [one for one, _ in zip(self._messages.values(), range(limit), strict=False)]

    async def translated(self, results: Sequence[Translated], now: datetime) -> None:
        await self._commit("translated")
        for one in results:
            del self._messages[one.message_id]
            for event in one.events:
                self._seq += 1
                self._events.append((self._seq, event))

    async def enrol(self, name: str, types: frozenset[str], *, lane: str, start: str) -> Position:
        return Position(subscription=name, cursor=0, waiting=0)

    async def positions(self) -> Sequence[Position]:
        return []

    async def upcoming(self, name: str, limit: int) -> Sequence[Any]:
        return [one for (_, one), _ in zip(self._events, range(limit), strict=False)]

    async def planned(self, name: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None = None) -> bool:
        await self._commit("planned")
        for one in results:
            self._events.popleft()
            self._due.extend(one.deliveries)
        return True

    async def claim(self, endpoint: str, limit: int, now: datetime, owner: str, *, lane: str | None = None) -> Sequence[Claimed]:
        if not self._due:
            return []
        await self._commit("claim")
        return [Claimed(delivery=self._due.popleft(), created_at=now, attempt=1) for _ in range(min(limit, len(self._due)))]

    async def settle(self, settlements: Sequence[Settlement], owner: str) -> None:
        await self._commit("settle")

    async def next_due(self, endpoint: str) -> datetime | None:
        return None

    async def owners(self) -> Sequence[str]:
        return []

    async def release(self, owner: str, now: datetime) -> int:
        return 0


async def whole_way(given: argparse.Namespace, journal: Any) -> None:
    senders, desk, meters = Senders(given.messages, given.connections, given.patients), Desk(given.in_flight, given.max_batch), Meters()
    engine = Engine(
        SITE, journal, {"bedside": senders}, {"ward": desk},
        clock=SystemClock(), rng=random.Random(1), node="bench", pseudonym=lambda _kind, value: value, notify=meters,
    )  # fmt: skip
    await engine.start()
    profile = cProfile.Profile() if given.profile else None
    wall, cpu, thread = time.perf_counter(), time.process_time(), time.thread_time()
    if profile:
        profile.enable()
    senders.go()
    acknowledged = 0.0
    while meters.total("attempts_settled_delivered") < given.messages:
        await asyncio.sleep(0.01)
        if not acknowledged and not senders.left and not senders.open:
            acknowledged = time.perf_counter() - wall
    wall, cpu, thread = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - thread
    if profile:
        profile.disable()
    await engine.stop()
    waits = sorted(senders.waits)
    print(f"{given.messages} messages, {given.connections} connections, {given.patients} patients, {given.in_flight} in flight")
    print(
        f"  acknowledged  {given.messages / acknowledged:8.0f} a second, p50 {waits[len(waits) // 2] * 1e3:.2f} ms, p99 {waits[int(len(waits) * 0.99)] * 1e3:.2f} ms"
    )
    print(f"  delivered     {given.messages / wall:8.0f} a second")
    print(f"  CPU           {cpu / given.messages * 1e6:8.1f} us a message, {thread / given.messages * 1e6:.1f} us of it in the event loop")
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def stages(count: int) -> None:
    """The pure work of each stage, alone."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    bodies = [b"SAY|bed|%d|p%d|%s" % (number, number % 500, PADDING) for number in range(count)]
    triage = Triage(SITE, lambda *_: None)
    answers = Answers({}, clock=SystemClock(), pseudonym=lambda _kind, value: value)
    planning = Planning(note, SITE.catalogue, answers)
    translator = Translator(SITE, NullJournal(), clock=SystemClock(), notify=lambda _: None, translated=lambda *_: None)  # type: ignore[arg-type]

    def timed(name: str, run: Any) -> Any:
        begun = time.process_time()
        result = run()
        print(f"  {name:13} {(time.process_time() - begun) / count * 1e6:8.1f} us a message")
        return result

    arrivals = timed("receive", lambda: [triage.examine("bedside", body, now, "20260302060000") for body in bodies])
    results = timed("translate", lambda: [translator.result(one.message) for one in arrivals])
    envelopes = [event for one in results for event in one.events]
    timed("plan", lambda: asyncio.run(planning.plan(envelopes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--patients", type=int, default=500)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--max-batch", type=int, default=1)
    parser.add_argument("--journal", choices=["sqlite", "null"], default="sqlite")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    stages(given.messages)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, suppress(KeyboardInterrupt):
        if given.journal == "null":
            uvloop.run(whole_way(given, NullJournal()))
        else:
            uvloop.run(on_sqlite(given, Path(folder)))


async def on_sqlite(given: argparse.Namespace, folder: Path) -> None:
    journal = SqliteJournal(folder / "journal.sqlite", Keyring.load_or_create(folder / "keyring.json"))
    await journal.open()
    await whole_way(given, journal)
    print(f"  commits       {journal.commits:8} ({given.messages / journal.commits:.1f} messages each)")
    await journal.close()


if __name__ == "__main__":
    main()
