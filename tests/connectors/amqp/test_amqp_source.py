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

BUSY = b'{"status":"busy"}'


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
            reply(b"", True)
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


async def test_nothing_is_acknowledged_before_it_is_durable(stand: AmqpStand, receiver: Receiver) -> None:
    receiver.answer_at_once = False
    await publish(stand, *(f"m{number}" for number in range(9)))
    source = AmqpConsumer("events", stand.source(window=4))
    await source.start(receiver.accept)
    await until(lambda: len(receiver.bodies) == 4)
    receiver.replies[0](b"", True)
    await until(lambda: len(receiver.bodies) == 5)
    await stand.door.become("shut")  # the acknowledged one is gone, the others come again
    await stand.door.become("open")
    await until(lambda: len(receiver.bodies) == 9)
    assert sorted(set(receiver.bodies)) == [b"m%d" % number for number in range(5)]
    assert receiver.bodies[5:] == [b"m1", b"m2", b"m3", b"m4"]
    for reply in receiver.replies[1:]:
        reply(b"", True)
    receiver.answer_at_once = True
    await until(lambda: receiver.bodies[-1] == b"m8")
    await source.stop()
    assert await left(stand) == 0
    assert source.counts["connection-lost"] == 1


async def test_a_pause_leaves_the_rest_with_the_broker(stand: AmqpStand, receiver: Receiver) -> None:
    source = AmqpConsumer("events", stand.source(window=3))
    source.pause()
    await source.start(receiver.accept)
    await publish(stand, *(f"m{number}" for number in range(9)))
    await until(lambda: source._handover.held == 3)
    assert receiver.bodies == []
    source.resume()
    await until(lambda: len(receiver.bodies) == 9)
    await source.stop()


async def test_what_was_turned_away_is_offered_again_in_its_order(stand: AmqpStand, receiver: Receiver) -> None:
    receiver.answer_at_once = False
    await publish(stand, "m0", "m1", "m2")
    source = AmqpConsumer("events", stand.source(window=3))
    await source.start(receiver.accept)
    await until(lambda: len(receiver.bodies) == 3)
    for reply in receiver.replies[:3]:
        reply(BUSY, False)
    assert source.counts["busy"] == 3
    receiver.answer_at_once = True
    await until(lambda: len(receiver.bodies) == 6)
    assert receiver.bodies[3:] == [b"m0", b"m1", b"m2"]
    await source.stop()
    assert await left(stand) == 0


async def test_what_was_refused_is_in_the_journal_and_leaves_the_queue(stand: AmqpStand, receiver: Receiver) -> None:
    receiver.answer_at_once = False
    await publish(stand, "nonsense")
    source = AmqpConsumer("events", stand.source())
    await source.start(receiver.accept)
    await until(lambda: len(receiver.replies) == 1)
    receiver.replies[0](b'{"status":"refused"}', False)
    await source.stop()
    assert source.counts["refused"] == 1
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


async def test_a_broker_that_is_away_at_the_start_is_tried_again(stand: AmqpStand, receiver: Receiver) -> None:
    await stand.door.become("shut")
    source = AmqpConsumer("events", stand.source(connect_timeout=0.5))
    await source.start(receiver.accept)
    await publish(stand, "m0")
    await stand.door.become("open")
    await until(lambda: len(receiver.bodies) == 1)
    await source.stop()


async def test_a_queue_of_another_form_is_refused(stand: AmqpStand) -> None:
    await stand.channel.declare_queue(stand.queue, durable=True, arguments={"x-queue-type": "quorum"})
    with pytest.raises(Rejected, match=r"queue-form.*single-active-consumer"):
        await AmqpConsumer("events", stand.source()).start(lambda *_: None)
