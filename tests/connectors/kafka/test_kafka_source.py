"""What is special about consuming a log: offsets without gaps, partitions that nodes share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer
from connectors.kafka.conftest import TOPIC, KafkaStand

from isthmus.connectors.kafka.source import KafkaConsumer
from isthmus.connectors.port import Reply


class Receiver:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.replies: list[Reply] = []
        self.answer_at_once = True

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        assert (source, peer) == ("events", "kafka/site")
        self.bodies.append(body)
        if self.answer_at_once:
            reply(b"", "taken")
        else:
            self.replies.append(reply)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def publish(stand: KafkaStand, *names: str, line: str = "patient/1") -> list[bytes]:
    deliveries = [stand.delivery(name, ordering_key=line) for name in names]
    for start in range(0, len(deliveries), 20):
        await stand.client.send(deliveries[start : start + 20], 10)
    return [one.body for one in deliveries]


async def consume(stand: KafkaStand, receiver: Receiver, **changes: object) -> KafkaConsumer:
    source = KafkaConsumer("events", stand.source(**changes))
    await source.start(receiver.accept)
    return source


async def test_records_come_in_the_order_of_their_partition_and_once_per_group(stand: KafkaStand) -> None:
    sent = await publish(stand, *(f"m{number}" for number in range(60)))
    receiver = Receiver()
    source = await consume(stand, receiver, window=7)
    await until(lambda: len(receiver.bodies) == 60)
    await source.stop()
    assert receiver.bodies == sent
    later = Receiver()
    source = await consume(stand, later)
    more = await publish(stand, "m60")
    await until(lambda: len(later.bodies) >= 1)
    await source.stop()
    assert later.bodies == more


async def test_an_offset_waits_for_every_record_before_it(stand: KafkaStand) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=list(stand.cluster.servers))
    await producer.start()
    sent = [b"m0", b"m1", b"m2", b"m3"]
    for body in sent:
        await producer.send_and_wait(TOPIC, body, partition=0)  # without a key: handed over side by side
    await producer.stop()
    receiver = Receiver()
    receiver.answer_at_once = False
    source = await consume(stand, receiver)
    await until(lambda: len(receiver.bodies) == 4)
    for number in (0, 2, 3):
        receiver.replies[number](b"", True)
    await asyncio.sleep(0.6)  # two commits long
    assert source._consuming is not None
    source._consuming.cancel()  # as a killed process would: nothing is settled
    await asyncio.gather(source._consuming, return_exceptions=True)
    again = Receiver()
    source = await consume(stand, again)
    await until(lambda: len(again.bodies) == 3)
    assert again.bodies == sent[1:]
    await source.stop()


@pytest.mark.slow
async def test_nodes_share_the_partitions_and_take_over_without_a_loss(stand: KafkaStand) -> None:
    receiver = Receiver()
    one = await consume(stand, receiver)
    sent: list[bytes] = []
    for number in range(30):
        sent += await publish(stand, *(f"{number}-{line}" for line in range(4)), line=f"patient/{number % 8}")
        if number == 10:
            two = await consume(stand, receiver)
        if number == 20:
            await one.stop()
    await until(lambda: set(receiver.bodies) == set(sent))
    await two.stop()
    assert len(receiver.bodies) < 2 * len(sent)
