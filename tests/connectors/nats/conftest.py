"""A real NATS server behind a door, in the hands of the contract suites."""

from __future__ import annotations

import contextlib
import gc
import json
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import nats
import pytest
from nats.js.api import StreamConfig
from real.door import Door, Mode
from real.nats import USER, NatsServer

from isthmus.connectors.nats.client import NatsClient
from isthmus.connectors.nats.settings import NatsEndpoint, NatsSource
from isthmus.connectors.nats.words import Nats
from isthmus.connectors.suite import MARKER, Behaviour, Unlimited
from isthmus.core import Delivery, derive_id


@pytest.fixture(autouse=True)
def leaks() -> Iterator[None]:
    """nats-py leaves the socket of a connection attempt that failed to the garbage collector: here, and not in somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class NatsStand:
    """Effects are counted in the stream itself."""

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.stream = f"S{uuid.uuid4().hex[:8]}"
        self.subject = f"{self.stream}.told"
        self.door = Door(server.port)
        self.words = Nats("cell", cell="north")

    async def start(self) -> None:
        await self.door.start()
        self.client = NatsClient("cell", self.endpoint(), Unlimited())
        self.connection = await nats.connect(self.server.url)
        self.js = self.connection.jetstream()

    async def stop(self) -> None:
        await self.client.close()
        with contextlib.suppress(nats.js.errors.NotFoundError):
            await self.js.delete_stream(self.stream)
        await self.connection.close()
        await self.door.stop()

    def endpoint(self, **changes: Any) -> NatsEndpoint:
        given: dict[str, Any] = {
            "servers": (f"127.0.0.1:{self.door.port}",),
            "stream": self.stream,
            "subjects": (f"{self.stream}.>",),
            "monitors": (self.server.monitor,),
            "user": USER,
            "password": self.server.password,
            "replicas": 1,
            "max_bytes": 4 << 20,
            "connect_timeout": 2.0,
        }
        return NatsEndpoint(**{**given, **changes})

    def source(self, **changes: Any) -> NatsSource:
        given: dict[str, Any] = {
            "servers": (f"127.0.0.1:{self.door.port}",),
            "stream": self.stream,
            "consumer": "south",
            "user": USER,
            "password": self.server.password,
            "connect_timeout": 2.0,
        }
        return NatsSource(**{**given, **changes})

    def delivery(self, key: str, ordering_key: str = "") -> Delivery:
        draft = self.words.publish(self.subject, {"id": key, "name": MARKER}, key=key, ordering_key=ordering_key)
        return msgspec.structs.replace(draft, id=derive_id("stand", key), correlation_id=derive_id("correlation", key))

    async def behave(self, behaviour: Behaviour) -> None:
        """A stream refuses for good what is larger than its max_msg_size."""
        config = (await self.js.stream_info(self.stream)).config
        limit = 1 if behaviour == "refuses" else -1
        if config.max_msg_size != limit:
            await self.change(max_msg_size=limit)
        modes: dict[Behaviour, Mode] = {"down": "shut", "slow": "deaf", "dies": "mute"}
        await self.door.become(modes.get(behaviour, "open"))

    async def change(self, **settings: object) -> None:
        config = (await self.js.stream_info(self.stream)).config
        await self.js.update_stream(config.evolve(**settings))

    async def make(self, **settings: Any) -> None:
        """The stream, by hand."""
        form: dict[str, Any] = {
            "name": self.stream,
            "subjects": [f"{self.stream}.>"],
            "storage": "file",
            "discard": "new",
            "max_bytes": 4 << 20,
            "duplicate_window": 120,
        }
        await self.js.add_stream(StreamConfig(**{**form, **settings}))

    async def ids(self) -> list[str]:
        """Message ids in the stream, in its order."""
        return [str((message.headers or {}).get("Nats-Msg-Id", "")) for message in await self.messages()]

    async def messages(self) -> list[Any]:
        state = (await self.js.stream_info(self.stream)).state
        return [await self.js.get_msg(self.stream, seq) for seq in range(max(1, state.first_seq), state.last_seq + 1)]

    async def bodies(self) -> list[Any]:
        return [json.loads(message.data) for message in await self.messages()]

    async def effects(self, delivery: Delivery) -> int:
        return (await self.ids()).count(delivery.id)


@pytest.fixture
async def stand(nats_server: NatsServer) -> AsyncIterator[NatsStand]:
    stand = NatsStand(nats_server)
    await stand.start()
    yield stand
    await stand.stop()
