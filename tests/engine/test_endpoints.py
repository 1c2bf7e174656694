"""Endpoints that are down, slow, lying or half-open, on real sockets: each is survived, and nothing is lost, doubled or reordered.

The engine's clock runs fast, so that pauses of seconds pass quickly; sockets and their time-outs are real.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from engine.house import CARE, Bedside, Said, say, saying

from isthmus.connectors.mllp import Mllp, MllpEndpoint, connect
from isthmus.connectors.mllp.practice import Freeze, HangUp, PracticeReceiver, Reaction, Say
from isthmus.core import Delivery, Site, policy, subscribe
from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import SystemClock, Timer
from isthmus.engine.engine import Engine
from isthmus.engine.telemetry import BreakerMoved, Meters, Notice, told
from isthmus.formats.hl7v2 import Hl7
from isthmus.journals.memory import MemoryJournal

FAST = 25.0
"""Engine seconds in a second of the sockets."""
COUNT = 24
PATIENTS = 4

lab = Mllp("lab")


@subscribe(Said, to=lab, owner="lab", classification=CARE)
def order(event: Said) -> Iterator[Delivery]:
    text = f"MSH|^~\\&|ISTHMUS|HOSP|LAB|HOSP|20260302060000||OML^O21|x|P|2.5.1\rPID|||{event.patient}\rORC|NW|{event.number}\r"
    yield lab.send(text.encode(), key=event.number)


class Fast(SystemClock):
    """Runs faster than the world."""

    def __init__(self) -> None:
        self._begun = super().monotonic()

    def now(self) -> datetime:
        return datetime(2026, 3, 2, 6, 0, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (super().monotonic() - self._begun) * FAST

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        return super().after(seconds / FAST, call)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / FAST)


class Lab:
    """The engine between a bedside and a laboratory, and what both saw."""

    def __init__(self, receiver: PracticeReceiver) -> None:
        self.receiver = receiver
        self.bedside = Bedside()
        self.journal = MemoryJournal()
        self.notices: list[Notice] = []
        self.meters = Meters()
        self.clock = Fast()

    def moves(self) -> list[str]:
        return [one.state for one in self.notices if isinstance(one, BreakerMoved)]

    def say_all(self) -> None:
        self.bedside.say(*(say(number, patient=f"p{number % PATIENTS}") for number in range(COUNT)))

    async def all_delivered(self) -> None:
        async with asyncio.timeout(30):
            while self.meters.total("attempts_settled_delivered") < COUNT:
                await asyncio.sleep(0.01)

    def orders(self) -> dict[str, list[int]]:
        """What took effect, by patient, in its order."""
        found: dict[str, list[int]] = {}
        for raw in self.receiver.effects:
            message = Hl7(raw)
            found.setdefault(str(message["PID-3"]), []).append(int(str(message["ORC-2"])))
        return found


EXPECTED = {f"p{patient}": list(range(patient, COUNT, PATIENTS)) for patient in range(PATIENTS)}


@asynccontextmanager
async def running(receiver: PracticeReceiver) -> AsyncIterator[Lab]:
    await receiver.start()
    one = Lab(receiver)
    settings = MllpEndpoint(host="127.0.0.1", port=receiver.port, connections=2, connect_timeout=0.5)
    client = connect("lab", settings, TargetBudget(one.clock, in_flight=2))
    engine = Engine(
        Site("lab", interfaces=(saying(),), subscriptions=(order,), events=(Said,)),
        one.journal,
        {"bedside": one.bedside},
        {"lab": client},
        clock=one.clock,
        rng=random.Random(1),
        node="here:1:1",
        pseudonym=lambda _kind, value: value,
        notify=told(one.notices.append, one.meters),
    )
    await engine.start()
    try:
        yield one
    finally:
        await engine.stop()
        await receiver.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(policy._TIMEOUT, "seconds", 0.15)  # of the sockets' time


async def test_an_endpoint_that_is_down_is_found_again_and_gets_everything_in_order() -> None:
    receiver = PracticeReceiver()
    async with running(receiver) as one:
        await receiver.stop()
        one.say_all()
        async with asyncio.timeout(20):
            while "open" not in one.moves():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert receiver.received == []
        burnt = one.meters.total("attempts_settled_due")
        assert 10 <= burnt <= 20, "the breaker spares the attempts"
        await receiver.start()
        await one.all_delivered()
        assert one.orders() == EXPECTED
        assert one.moves()[-1] == "closed"


async def test_an_endpoint_that_answers_too_late_is_checked_and_gets_nothing_twice() -> None:
    slow = True
    receiver = PracticeReceiver(lambda _: Say(delay=0.3 if slow else 0.0))
    async with running(receiver) as one:
        one.say_all()
        async with asyncio.timeout(20):
            while one.meters.total("attempts_settled_unknown") < 4:
                await asyncio.sleep(0.01)
        slow = False
        await one.all_delivered()
        assert len(receiver.received) > COUNT, "it did hurt: some were sent again"
        assert one.orders() == EXPECTED
        assert len(receiver.effects) == COUNT


async def test_an_endpoint_that_acknowledges_something_else_is_not_believed() -> None:
    lies = True
    receiver = PracticeReceiver(lambda _: Say(control_id="SOMETHINGELSE") if lies else Say())
    async with running(receiver) as one:
        one.say_all()
        async with asyncio.timeout(20):
            while one.meters.total("attempts_settled_unknown") < 4:
                await asyncio.sleep(0.01)
        assert one.meters.total("attempts_settled_delivered") == 0, "an AA for another message proves nothing"
        lies = False
        await one.all_delivered()
        assert one.orders() == EXPECTED
        assert len(receiver.effects) == COUNT


async def test_a_half_open_endpoint_answers_pings_and_is_still_not_believed() -> None:
    frozen = True
    receiver = PracticeReceiver(lambda _: (Freeze(),) if frozen else Say())
    async with running(receiver) as one:
        one.say_all()
        async with asyncio.timeout(30):
            while one.moves().count("half-open") < 3:
                await asyncio.sleep(0.01)
        assert "closed" not in one.moves(), "connections are taken and pings answered, but no delivery is"
        frozen = False
        await one.all_delivered()
        assert one.orders() == EXPECTED
        assert len(receiver.effects) == COUNT


async def test_an_endpoint_that_hangs_up_after_the_effect_gets_nothing_twice() -> None:
    rng = random.Random(3)
    hung: list[bool] = []

    def moody(_: Hl7) -> Reaction:
        hung.append(rng.random() < 0.4)
        return HangUp(acts=rng.random() < 0.5) if hung[-1] else Say()

    receiver = PracticeReceiver(moody)
    async with running(receiver) as one:
        one.say_all()
        await one.all_delivered()
        assert sum(hung) > 5, "it did hurt"
        assert one.orders() == EXPECTED
        assert len(receiver.effects) == COUNT
