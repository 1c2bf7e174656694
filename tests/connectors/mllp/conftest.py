"""The practice receiver in the hands of the contract suite, on asyncio's own loop and on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
import uvloop

from isthmus.connectors.mllp.client import MllpClient
from isthmus.connectors.mllp.practice import Freeze, HangUp, PracticeReceiver, Reaction, Say
from isthmus.connectors.mllp.settings import MllpEndpoint
from isthmus.connectors.mllp.words import Mllp
from isthmus.connectors.suite import MARKER, Behaviour, Unlimited
from isthmus.core import Delivery, derive_id
from isthmus.formats.hl7v2 import Hl7


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything here runs on both loops: they differ in when they notice the end of a connection."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def order(number: str, more: dict[int, str] | None = None) -> Hl7:
    return Hl7.build(
        "OML^O21^OML_O21",
        ("PID", {3: "123", 5: (MARKER, "Jane")}),
        ("ORC", {1: "NW", 2: number}),
        control_id="0",
        at="20260101120000",
        sender=("ISTHMUS", "HOSP"),
        receiver=("LIS", "LAB"),
        more=more,
    )


class MllpStand:
    def __init__(self) -> None:
        self.receiver = PracticeReceiver()
        self.words = Mllp("lab")

    async def start(self) -> None:
        await self.receiver.start()
        settings = MllpEndpoint(host="127.0.0.1", port=self.receiver.port, connections=3, connect_timeout=2.0)
        self.client = MllpClient("lab", settings, Unlimited())

    def delivery(self, key: str) -> Delivery:
        draft = self.words.send(order(key), key=key)
        return msgspec.structs.replace(draft, id=derive_id("stand", key), correlation_id=derive_id("correlation", key))

    async def behave(self, behaviour: Behaviour) -> None:
        if behaviour == "down":
            await self.receiver.stop()
            return
        reactions: dict[Behaviour, Reaction] = {
            "takes": Say(),
            "refuses": Say(code="AE", error="101", place="PID^1^5", text=f"no such patient: {MARKER}"),
            "slow": Freeze(),
            "dies": HangUp(),
        }
        reaction = reactions[behaviour]
        self.receiver.behave = lambda _message: reaction
        await self.receiver.start()

    async def effects(self, delivery: Delivery) -> int:
        return self.receiver.effects_of(delivery.key)


@pytest.fixture
async def stand() -> AsyncIterator[MllpStand]:
    stand = MllpStand()
    await stand.start()
    yield stand
    await stand.receiver.stop()
