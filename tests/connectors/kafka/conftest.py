"""A cluster of three brokers in the hands of the contract suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from real.kafka import MESSAGE_TOO_LARGE, PRODUCE, KafkaCluster

from isthmus.connectors.kafka.client import KafkaClient
from isthmus.connectors.kafka.settings import KafkaEndpoint, KafkaSource
from isthmus.connectors.kafka.source import KafkaConsumer
from isthmus.connectors.kafka.words import Kafka
from isthmus.connectors.suite import MARKER, Behaviour, Unlimited
from isthmus.core import Delivery, derive_id

TOPIC = "events"
PARTITIONS = 4


class KafkaStand:
    """Effects are counted as a consumer that recognises ids sees them."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self.cluster = cluster
        self.words = Kafka("cell")
        cluster.topic(TOPIC, partitions=PARTITIONS)
        self.client = KafkaClient("cell", self.endpoint(), Unlimited())
        self._dying: asyncio.Task[None] | None = None

    def endpoint(self, **changes: object) -> KafkaEndpoint:
        settings = KafkaEndpoint(servers=self.cluster.servers, topics=(TOPIC,), connect_timeout=3.0, max_batch=20)
        return msgspec.structs.replace(settings, **changes)

    def source(self, **changes: object) -> KafkaSource:
        return msgspec.structs.replace(KafkaSource(servers=self.cluster.servers, topics=(TOPIC,), group="site"), **changes)

    def delivery(self, key: str, *, ordering_key: str = "") -> Delivery:
        draft = self.words.produce(TOPIC, {"key": key, "name": MARKER}, key=key, ordering_key=ordering_key)
        return msgspec.structs.replace(draft, id=derive_id("stand", key), correlation_id=derive_id("correlation", key))

    async def behave(self, behaviour: Behaviour) -> None:
        if self._dying is not None:
            await self._dying
            self._dying = None
        self.cluster.forgive(PRODUCE)
        self.cluster.slow(0)
        if behaviour == "down":
            self.cluster.down()
            await asyncio.sleep(0.1)
            return
        self.cluster.up()
        if behaviour == "refuses":
            self.cluster.fail(PRODUCE, *[MESSAGE_TOO_LARGE] * 3)
        elif behaviour == "slow":
            self.cluster.slow(2)
        elif behaviour == "dies":
            self.cluster.slow(5)
            self._dying = asyncio.create_task(self._die())

    async def _die(self) -> None:
        """It has taken what was sent, and does not live to say so."""
        await asyncio.sleep(0.5)
        self.cluster.down()
        await asyncio.sleep(3.5)

    async def records(self) -> dict[int, list[tuple[str, bytes]]]:
        """Ids and bodies by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=list(self.cluster.servers), enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: dict[int, list[tuple[str, bytes]]] = {number: [] for number in range(PARTITIONS)}
            for partition, end in ends.items():
                while await consumer.position(partition) < end:
                    record = await asyncio.wait_for(consumer.getone(partition), 10)
                    found[record.partition].append((dict(record.headers)["id"].decode(), record.value))
            return found
        finally:
            await consumer.stop()

    async def effects(self, delivery: Delivery) -> int:
        self.cluster.slow(0)
        self.cluster.up()
        return len({one for records in (await self.records()).values() for one, _ in records if one == delivery.id})


class KafkaSourceStand:
    """Put by a producer of the test's own. What is put while the cluster is down comes when it is back."""

    window = 6

    def __init__(self, stand: KafkaStand, producer: AIOKafkaProducer) -> None:
        self._stand = stand
        self._producer = producer
        self._down = False
        self._late: list[tuple[str, bytes]] = []

    def source(self) -> KafkaConsumer:
        return KafkaConsumer("events", self._stand.source(window=self.window))

    async def put(self, key: str, number: int) -> bytes:
        body = f'{{"key":"{key}","number":{number}}}'.encode()
        if self._down:
            self._late.append((key, body))
        else:
            await self._producer.send_and_wait(TOPIC, body, key=key.encode())
        return body

    async def behave(self, behaviour: Literal["takes", "down"]) -> None:
        self._down = behaviour == "down"
        if self._down:
            self._stand.cluster.down()
            return
        self._stand.cluster.up()
        late, self._late = self._late, []
        for key, body in late:
            await self._producer.send_and_wait(TOPIC, body, key=key.encode())

    async def left(self) -> int:
        """What the group has not committed."""
        servers = list(self._stand.cluster.servers)
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await consumer.start()
        await admin.start()
        try:
            partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
            ends = await consumer.end_offsets(partitions)
            committed = await admin.list_consumer_group_offsets("site", partitions=partitions)
            return sum(end - max(0, committed[one].offset) for one, end in ends.items())
        finally:
            await admin.close()
            await consumer.stop()


@pytest.fixture
async def source_stand(stand: KafkaStand) -> AsyncIterator[KafkaSourceStand]:
    producer = AIOKafkaProducer(bootstrap_servers=list(stand.cluster.servers), acks="all", enable_idempotence=True)
    await producer.start()
    yield KafkaSourceStand(stand, producer)
    stand.cluster.up()
    await producer.stop()


@pytest.fixture
async def stand(kafka: KafkaCluster) -> AsyncIterator[KafkaStand]:
    stand = KafkaStand(kafka)
    yield stand
    kafka.slow(0)
    kafka.up()
    await stand.client.close()
