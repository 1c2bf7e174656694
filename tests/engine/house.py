"""A small house for the engine's tests: a tiny format, two events, sources and endpoints that are functions, a clock that stands still.

The engine must not know HL7, so its tests do not either. A message is ``KIND|sender|control id|patient|text``.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Self

from msgspec import Struct

from isthmus.connectors.port import Accept
from isthmus.core import (
    Classification,
    Delivered,
    Delivery,
    Endpoint,
    Event,
    Header,
    Interface,
    Invalid,
    Lookup,
    Outcome,
    Receipt,
    Rejected,
    Site,
    Transient,
    Verdict,
    Violation,
    canonical,
    subscribe,
)
from isthmus.core.policy import Lane
from isthmus.core.pseudonym import pseudonym
from isthmus.engine.clock import FakeClock
from isthmus.engine.engine import Engine
from isthmus.engine.membership import Membership
from isthmus.engine.shares import Share
from isthmus.engine.telemetry import Meters, Notice, told
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Journal

CODES = {"accepted": "AA", "invalid": "AE", "refused": "AR", "busy": "BUSY"}
CARE = Classification(criticality="care", latency="seconds", volume="1k/day", ordered_by="patient")
OFFICE = Classification(criticality="operations", latency="seconds", volume="1k/day")


class Tiny:
    """The format: five fields, separated by bars."""

    name = "tiny"

    def header(self, body: bytes) -> Header:
        fields = body.split(b"|")
        if len(fields) < 3:
            raise Invalid("no-header", "write KIND|sender|control id|patient|text")
        return Header(fields[0].decode(), fields[1].decode(), fields[2].decode())

    def open(self, body: bytes) -> list[str]:
        fields = body.decode().split("|")
        if len(fields) != 5:
            raise Invalid("fields", "write five fields")
        return fields

    def identifiers(self, document: list[str]) -> tuple[tuple[str, str], ...]:
        return (("patient", document[3]),)

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        fields = body.split(b"|")
        if fields[1:2] == [b"quiet"]:
            return None
        control = fields[2].decode() if len(fields) > 2 else ""
        return f"ACK|{control}|{CODES[verdict]}|{','.join(one.rule for one in violations)}|{reply_id}|{at}".encode()


class TinyContract:
    format = Tiny()

    def __init__(self, *kinds: str, check: Callable[[list[str]], tuple[Violation, ...]] | None = None) -> None:
        self.kinds = kinds
        self._check = check

    def check(self, document: list[str]) -> tuple[Violation, ...]:
        if self._check is not None:
            return self._check(document)
        return () if document[4] else (Violation("text", "required", "write a text"),)


@canonical("patient.said", version=1, owner="ward", key=("number",), ordered_by="patient")
class Said(Event, frozen=True, kw_only=True):
    number: str
    patient: str
    text: str


class Price(Struct, frozen=True):
    amount: int


ward = Endpoint("ward")
office = Endpoint("office")


def saying(name: str = "talk", source: str = "bedside", kinds: tuple[str, ...] = ("SAY",), classification: Classification = CARE) -> Any:
    """An interface: SAY becomes ``patient.said``. Text ``bug`` hits a bug of ours, ``wrong`` a fault of the sender."""
    interface = Interface(name, source=source, owner="ward", contract=TinyContract(*kinds), classification=classification)

    @interface.translate(*kinds)
    def said(document: list[str]) -> Iterator[Event]:
        if document[4] == "bug":
            raise KeyError(document[3])
        if document[4] == "wrong":
            raise Invalid("wrong-word", "say something else")
        if document[4] != "silence":
            yield Said(number=document[2], patient=document[3], text=document[4])

    return interface


@subscribe(Said, to=ward, owner="ward", classification=CARE, name="ward.note")
def note(event: Said) -> Iterator[Delivery]:
    yield Delivery(endpoint="ward", operation="note", key=event.number, body=event.text.encode())


@subscribe(Said, to=office, owner="office", classification=OFFICE, name="office.bill")
async def bill(event: Said) -> AsyncIterator[Delivery]:
    """Asks what the text costs, and under which reference the patient is known there."""
    price = await price_of(event.text)
    reference = await pseudonym("patient", event.patient)
    yield Delivery(
        endpoint="office", operation="bill", key=event.number, body=b'{"for":"%s","amount":%d}' % (reference.encode(), price.amount)
    )


def price_of(text: str, max_age: float = 0.0) -> Lookup[Price]:
    return Lookup(endpoint="office", name="price", answer=Price, args=(text,), max_age=max_age)


def say(number: int | str, patient: str = "p1", text: str = "hello", sender: str = "bed", kind: str = "SAY") -> bytes:
    return f"{kind}|{sender}|{number}|{patient}|{text}".encode()


class Bedside:
    """A source that a test speaks through. It counts pauses, and hands over what arrives all the same."""

    def __init__(self, name: str = "bedside") -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.paused = False
        self.pauses = 0
        self.open = False
        self.answers: list[tuple[bytes | None, str]] = []
        self._accept: Accept | None = None
        self._waiting = 0

    async def start(self, accept: Accept) -> None:
        self._accept, self.open = accept, True

    def pause(self) -> None:
        self.paused, self.pauses = True, self.pauses + 1

    def resume(self) -> None:
        self.paused = False

    async def stop(self) -> None:
        self.open = False
        for _ in range(1_000):
            if not self._waiting:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{self._waiting} messages were never answered")

    def say(self, *bodies: bytes) -> None:
        for body in bodies:
            assert self._accept is not None, "the source was not started"
            self._waiting += 1
            self._accept(self.name, body, "here", self._reply)

    def _reply(self, ack: bytes | None, said: str) -> None:
        self._waiting -= 1
        self.answers.append((ack, said))

    @property
    def codes(self) -> list[str]:
        """What the senders were answered: AA, AE, AR, BUSY."""
        return [ack.decode().split("|")[2] for ack, _ in self.answers if ack]


OK = Delivered((Receipt("application", "ok"),))


class Desk:
    """An endpoint that is a few functions; it remembers what reached it."""

    def __init__(
        self,
        send: Callable[[Delivery], Outcome] = lambda _: OK,
        *,
        check: Callable[[Delivery], Outcome] = lambda _: OK,
        look: Callable[[Lookup[Any]], object] = lambda _: Price(7),
        max_batch: int = 1,
        in_flight: int = 1,
    ) -> None:
        self.send_one, self.check_one, self.look_one = send, check, look
        self.max_batch, self.in_flight = max_batch, in_flight
        self.down: Transient | Rejected | None = None
        self.gate: asyncio.Event | None = None
        """Closed by a test that wants sends to hang."""
        self.opened = False
        self.sent: list[Delivery] = []
        self.batches: list[int] = []
        self.checked: list[Delivery] = []
        self.looked: list[Lookup[Any]] = []
        self.pings = 0
        self.running = self.most_running = 0

    async def open(self) -> None:
        if self.down is not None:
            raise self.down
        self.opened = True

    async def close(self) -> None:
        self.opened = False

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        self.batches.append(len(deliveries))
        self.sent.extend(deliveries)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return [self.send_one(one) for one in deliveries]
        finally:
            self.running -= 1

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        self.checked.append(delivery)
        return self.check_one(delivery)

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        self.looked.append(lookup)
        await asyncio.sleep(0)
        return self.look_one(lookup)

    async def ping(self, timeout: float) -> None:
        self.pings += 1
        if self.down is not None:
            raise self.down

    @property
    def bodies(self) -> list[str]:
        return [one.body.decode() for one in self.sent]


class House:
    """A site, a journal, an engine, and all that a test wants to see."""

    def __init__(
        self,
        *,
        interfaces: Iterable[Any] = (),
        subscriptions: Iterable[Any] = (note,),
        sources: Iterable[Bedside] = (),
        desks: dict[str, Any] | None = None,
        journal: Journal | None = None,
        clock: FakeClock | None = None,
        node: str = "here:1:1",
        shared: Any = None,
        shares: Callable[[Membership], dict[str, Share]] = lambda _: {},
        seed: int = 1,
        events: Iterable[type[Event]] = (Said,),
    ) -> None:
        """``shared``: the journal as the membership sees it, where ``node`` is one of several."""
        self.clock = clock or FakeClock()
        self.journal: Journal = journal or MemoryJournal()
        self.interfaces = tuple(interfaces) or (saying(),)
        subscriptions = tuple(subscriptions)
        self.site = Site("house", interfaces=self.interfaces, subscriptions=subscriptions, events=events)
        self.sources = {one.name: one for one in (tuple(sources) or (Bedside(),))}
        self.desks: dict[str, Any] = desks or {name: Desk() for name in self.site.endpoints}
        self.notices: list[Notice] = []
        self.meters = Meters()
        notify = told(self.notices.append, self.meters)
        rng = random.Random(f"{node} {seed}")
        self.membership = Membership(shared, node, clock=self.clock, rng=rng, notify=notify) if shared else None
        self.engine = Engine(
            self.site,
            self.journal,
            self.sources,
            self.desks,
            clock=self.clock,
            rng=random.Random(seed),
            node=self.membership or node,
            pseudonym=lambda kind, value: f"{kind}-{value[::-1]}",
            notify=notify,
            shares=shares(self.membership) if self.membership else None,
        )

    @property
    def bedside(self) -> Bedside:
        return next(iter(self.sources.values()))

    @property
    def ward(self) -> Desk:
        return self.desks["ward"]

    @property
    def office(self) -> Desk:
        return self.desks["office"]

    async def __aenter__(self) -> Self:
        await self.journal.open()
        await self.engine.start()
        await self.clock.settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.stop()
        await self.journal.close()

    async def say(self, *bodies: bytes) -> None:
        """Say it and let everything happen that needs no time."""
        self.bedside.say(*bodies)
        await self.clock.settle()

    def told(self, kind: type[Notice]) -> list[Any]:
        return [one for one in self.notices if type(one) is kind]

    async def states(self, number: int | str = 1) -> list[str]:
        """The states of the deliveries under this business key."""
        return [
            stored.state
            for state in ("due", "sending", "unknown", "delivered", "dead", "abandoned", "superseded")
            for stored in await self.journal.deliveries(state=state)  # type: ignore[arg-type]
            if stored.key == str(number)
        ]

    async def story_of(self, number: int | str) -> Any:
        from isthmus.journals.port import Query  # noqa: PLC0415 - only here

        found = [one for one in await self.journal.find(Query()) if one.control_id == str(number)]
        return await self.journal.story(found[-1].id)


def at(house: House) -> datetime:
    return house.clock.now()
