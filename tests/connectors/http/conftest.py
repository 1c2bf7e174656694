"""The practice portal in the hands of the contract suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from isthmus.connectors.http.client import HttpClient
from isthmus.connectors.http.practice import PracticePortal, Respond
from isthmus.connectors.http.settings import HttpEndpoint
from isthmus.connectors.http.words import Http
from isthmus.connectors.suite import MARKER, Behaviour, Unlimited
from isthmus.core import Delivery, derive_id


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything here runs on both loops: sites run on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class HttpStand:
    """The practice portal in the hands of the contract suite."""

    def __init__(self) -> None:
        self.portal = PracticePortal()
        self.words = Http("portal")

    async def start(self) -> None:
        await self.portal.start()
        settings = HttpEndpoint(url=self.portal.url, in_flight=4, connect_timeout=2.0)
        self.client = HttpClient("portal", settings, Unlimited())

    async def stop(self) -> None:
        await self.portal.stop()

    def delivery(self, key: str) -> Delivery:
        draft = self.words.post("/results", {"key": key, "name": MARKER}, key=key)
        return Delivery(
            endpoint=draft.endpoint, operation=draft.operation, key=key, body=draft.body, content_type=draft.content_type,
            id=derive_id("stand", key), correlation_id=derive_id("correlation", key),
        )  # fmt: skip

    async def behave(self, behaviour: Behaviour) -> None:
        if behaviour == "down":
            await self.portal.stop()
            return
        responses: dict[Behaviour, Respond] = {
            "takes": Respond(),
            "refuses": Respond(status=422, acts=False, body=MARKER.encode()),
            "slow": Respond(delay=60.0),
            "dies": Respond(hang_up=True),
        }
        respond = responses[behaviour]
        self.portal.behave = lambda _request: respond
        await self.portal.start()

    async def effects(self, delivery: Delivery) -> int:
        return sum(1 for one in self.portal.effects if one.key == delivery.id)


@pytest.fixture
async def stand() -> AsyncIterator[HttpStand]:
    stand = HttpStand()
    await stand.start()
    yield stand
    await stand.stop()


@pytest.fixture
async def portal() -> AsyncIterator[PracticePortal]:
    portal = PracticePortal()
    await portal.start()
    yield portal
    await portal.stop()
