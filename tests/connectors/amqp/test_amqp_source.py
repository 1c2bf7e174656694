"""The consumer: order of the queue, acknowledged only when durable, back-pressure, lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aio_pika
import pytest
from connectors.amqp.conftest import AmqpStand

from isthmus.connectors.amqp.source import AmqpConsumer
from isthmus.connectors.port import Reply
from isthmus.core import Rejected


class Receiver:
    """Takes what comes; answers when told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.replies: list[Reply] = []
        self.answer_at_once = True

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        assert (source, peer.split("/", maxsplit=1)[0]) == ("events", "amqp")
        self.bodies.append(body)
        if self.answer_at_once:
            reply(b"", "taken")
        else:
            self.replies.append(reply)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def receiver(stand: AmqpStand) -> AsyncIterator[Receiver]:
    await stand.channel.declare_queue(stand.queue, durable=True, arguments={"x-queue-type": "quorum", "x-single-active-consumer": True})
    return Receiver()


async def publish(stand: AmqpStand, *bodies: str) -> None:
    for body in bodies:
        await stand.channel.default_exchange.publish(aio_pika.Message(body.encode(), delivery_mode=2), stand.queue)


async def left(stand: AmqpStand) -> int:
    queue = await stand.channel.declare_queue(stand.queue, passive=True)
    return queue.declaration_result.message_count or 0


async def test_messages_come_in_the_queues_order_and_leave_it(stand: AmqpStand, receiver: Receiver) -> None:
    names = [f"m{number}" for number in range(50)]
    await publish(stand, *names)
    source = AmqpConsumer("events", stand.source(window=8))
    await source.start(receiver.accept)
    await until(lambda: len(receiver.bodies) == 50)
    await source.stop()
    assert [one.decode() for one in receiver.bodies] == names
    assert await left(stand) == 0


async def test_two_nodes_one_consumes_and_the_other_takes_over(stand: AmqpStand, receiver: Receiver) -> None:
    first, second = Receiver(), Receiver()
    one, two = AmqpConsumer("events", stand.source()), AmqpConsumer("events", stand.source())
    await one.start(first.accept)
    await two.start(second.accept)
    await publish(stand, "m0", "m1")
    await until(lambda: len(first.bodies) == 2)
    assert second.bodies == []
    await one.stop()
    await publish(stand, "m2")
    await until(lambda: second.bodies == [b"m2"])
    await two.stop()


async def test_a_queue_of_another_form_is_refused(stand: AmqpStand) -> None:
    await stand.channel.declare_queue(stand.queue, durable=True, arguments={"x-queue-type": "quorum"})
    with pytest.raises(Rejected, match=r"queue-form.*single-active-consumer"):
        await AmqpConsumer("events", stand.source()).start(lambda *_: None)
