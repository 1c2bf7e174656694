"""A real RabbitMQ behind a door, in the hands of the contract suite."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Literal

import aio_pika
import msgspec
import pytest
from aio_pika.abc import AbstractQueue
from real.door import Door, Mode
from real.rabbitmq import Rabbit

from isthmus.connectors.amqp.client import AmqpClient
from isthmus.connectors.amqp.link import ORDERING_KEY, SINGLE
from isthmus.connectors.amqp.settings import AmqpEndpoint, AmqpSource
from isthmus.connectors.amqp.source import AmqpConsumer
from isthmus.connectors.amqp.words import Amqp
from isthmus.connectors.suite import MARKER, Behaviour, Unlimited
from isthmus.core import Delivery, derive_id


class AmqpStand:
    """Effects are counted as a consumer that recognises message ids sees them."""

    def __init__(self, rabbit: Rabbit) -> None:
        self.rabbit = rabbit
        self.broker = rabbit.broker
        self.queue = f"stand-{uuid.uuid4().hex[:8]}"
        self.door = Door(rabbit.broker.port)
        self.words = Amqp("cell")

    async def start(self) -> None:
        await self.door.start()
        self.client = AmqpClient("cell", self.endpoint(), Unlimited())
        self.seen: list[str] = []
        self.gone = False
        url = f"amqp://{self.broker.user}:{self.broker.password}@127.0.0.1:{self.broker.port}/"
        self.connection = await aio_pika.connect(url)
        self.channel = await self.connection.channel()

    async def stop(self) -> None:
        await self.client.close()
        await self.channel.queue_delete(self.queue)
        await self.connection.close()
        await self.door.stop()

    def endpoint(self, **changes: object) -> AmqpEndpoint:
        settings = AmqpEndpoint(
            hosts=(f"127.0.0.1:{self.door.port}",),
            user=self.broker.user,
            password=self.broker.password,
            queue=self.queue,
            connect_timeout=2.0,
            max_batch=20,
        )
        return msgspec.structs.replace(settings, **changes)

    def source(self, **changes: object) -> AmqpSource:
        settings = AmqpSource(
            hosts=(f"127.0.0.1:{self.door.port}",),
            user=self.broker.user,
            password=self.broker.password,
            queue=self.queue,
            connect_timeout=2.0,
        )
        return msgspec.structs.replace(settings, **changes)

    def delivery(self, key: str) -> Delivery:
        draft = self.words.publish(self.queue, {"key": key, "name": MARKER}, key=key)
        return msgspec.structs.replace(draft, id=derive_id("stand", key), correlation_id=derive_id("correlation", key))

    async def behave(self, behaviour: Behaviour) -> None:
        """A broker refuses for good what no queue takes."""
        if behaviour == "refuses":
            await self.taken()
            await self.channel.queue_delete(self.queue)
            self.gone = True
        else:
            await self.declare()
        modes: dict[Behaviour, Mode] = {"down": "shut", "slow": "deaf", "dies": "mute"}
        await self.door.become(modes.get(behaviour, "open"))

    async def declare(self) -> None:
        await self.channel.declare_queue(self.queue, durable=True, arguments={"x-queue-type": "quorum"})
        self.gone = False

    async def taken(self) -> list[str]:
        """Message ids in the queue until now, in its order."""
        if self.gone:
            return self.seen
        queue: AbstractQueue = await self.channel.get_queue(self.queue)
        while (message := await queue.get(fail=False)) is not None:
            await message.ack()
            self.seen.append(message.message_id or "")
        return self.seen

    async def effects(self, delivery: Delivery) -> int:
        return len({one for one in await self.taken() if one == delivery.id})


@pytest.fixture
async def stand(rabbit: Rabbit) -> AsyncIterator[AmqpStand]:
    stand = AmqpStand(rabbit)
    await stand.start()
    yield stand
    await stand.stop()


class AmqpSourceStand:
    """Put past the door, by a channel of the test's own."""

    window = 6

    def __init__(self, stand: AmqpStand) -> None:
        self._stand = stand

    def source(self) -> AmqpConsumer:
        return AmqpConsumer("events", self._stand.source(window=self.window))

    async def put(self, key: str, number: int) -> bytes:
        body = f'{{"key":"{key}","number":{number}}}'.encode()
        message = aio_pika.Message(body, delivery_mode=2, headers={ORDERING_KEY: key})
        await self._stand.channel.default_exchange.publish(message, self._stand.queue)
        return body

    async def behave(self, behaviour: Literal["takes", "down"]) -> None:
        await self._stand.door.become("shut" if behaviour == "down" else "open")

    async def left(self) -> int:
        """Ready, or given and not acknowledged: asked of the queue itself, for the server's own counters are seconds behind."""
        asked = "{ok, {_, Total}, _} = ra:leader_query({'%%2F_%s', node()}, fun rabbit_fifo:query_messages_total/1), Total."
        return int(await asyncio.to_thread(self._stand.rabbit.ctl, "eval", asked % self._stand.queue))


@pytest.fixture
async def source_stand(stand: AmqpStand) -> AmqpSourceStand:
    await stand.channel.declare_queue(stand.queue, durable=True, arguments=dict(SINGLE))
    return AmqpSourceStand(stand)
