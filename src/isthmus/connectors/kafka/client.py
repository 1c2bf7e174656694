"""KafkaClient: an idempotent producer that believes the leader's answer only.

| what happens | outcome |
|---|---|
| answered by the leader, all in-sync replicas have it | Delivered |
| no broker can be reached, too few replicas are in sync, we are not allowed | Retry |
| larger than the topic takes | Reject ``too-large`` |
| the topic is none of the endpoint's ``topics`` | Reject ``topic`` |
| time is over, or the connection ended, before the answer | Unknown |

The producer's own sequence numbers keep its retries from doubling a record. They end with the producer; so after an unknown outcome
the record is produced again where consumers recognise its ``id`` header (``deduplicates``); otherwise a person decides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from isthmus.connectors.kafka.access import access
from isthmus.connectors.kafka.settings import KafkaEndpoint
from isthmus.connectors.kafka.words import topic_of
from isthmus.connectors.port import Budget
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane

_NEVER_TAKEN = {
    NotEnoughReplicasError: ("replicas", "too few replicas are in sync"),
    TopicAuthorizationFailedError: ("not-allowed", "we may not write to this topic: give our user the right"),
    ClusterAuthorizationFailedError: ("not-allowed", "we may not produce idempotently: give our user IdempotentWrite"),
    UnknownTopicOrPartitionError: ("no-topic", "the topic is not there: make it"),
}
LOOK = 25
"""Turns of the event loop before a batch: an end of the connection that has arrived is seen then."""
_CLOSES_WITHIN = 1.0
"""Seconds for a producer that is given up to take its leave."""


class KafkaClient:
    """One endpoint; one producer, made anew after an unknown outcome."""

    def __init__(self, name: str, settings: KafkaEndpoint, budget: Budget) -> None:
        self.max_batch = settings.max_batch
        self.in_flight = settings.in_flight
        self.counts: Counter[str] = Counter()
        self._where = f"endpoints.{name}"
        self._settings = settings
        self._budget = budget
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        await self._ready(self._settings.connect_timeout)

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _end(producer)

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        async with self._budget.call(lane):
            ends = asyncio.get_running_loop().time() + timeout
            try:
                producer = await self._ready(min(timeout, self._settings.connect_timeout))
            except (Transient, Rejected) as failure:
                outcomes: Sequence[Outcome] = [Retry(failure.code, failure.detail)] * len(deliveries)
            else:
                if await self._reachable(producer, {topic_of(one.operation) for one in deliveries}, ends):
                    # Each is queued before the next: those of one partition go out in this order.
                    outcomes = await asyncio.gather(*(self._produce(producer, one, ends) for one in deliveries))
                else:
                    outcomes = [Retry("connect", f"{self._where}: no leader of these partitions takes a connection")] * len(deliveries)
        if any(isinstance(one, Unknown) for one in outcomes):
            await self.close()  # what it may still have in hand must not go out behind our back
        self.counts.update(one.code for one in outcomes if not isinstance(one, Delivered))
        return outcomes

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        del delivery, timeout, lane
        if self._settings.deduplicates:
            return Retry("resend", "consumers recognise what they have by its id")
        return Reject("outcome-unknown", "ask the consumers for this id, then redeliver or abandon it")

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        del timeout, lane
        raise Rejected("lookup", f"a topic answers no questions, such as {lookup.name!r}: ask another endpoint")

    async def ping(self, timeout: float) -> None:
        producer = await self._ready(timeout)
        try:
            async with asyncio.timeout(timeout):
                if not await producer.client.force_metadata_update():
                    raise Transient("connect", f"{self._where}: no broker answers")
        except (KafkaError, OSError, TimeoutError) as error:
            raise Transient("connect", f"{self._where}: no broker answers ({type(error).__name__})") from None

    # ---- one record --------------------------------------------------------------------------------------------------------------

    async def _produce(self, producer: AIOKafkaProducer, delivery: Delivery, ends: float) -> Outcome:
        topic = topic_of(delivery.operation)
        if topic not in self._settings.topics:
            return Reject("topic", f"{self._where}.topics does not name this topic: add it, then redeliver")
        headers = [("id", delivery.id), ("correlation-id", delivery.correlation_id), ("content-type", delivery.content_type)]
        try:
            async with asyncio.timeout_at(ends):
                await producer.send_and_wait(
                    topic,
                    delivery.body,
                    key=_partitioned(delivery.ordering_key or delivery.key),
                    headers=[(name, value.encode()) for name, value in headers],
                )
        except (MessageSizeTooLargeError, RecordTooLargeError):
            return Reject("too-large", "the record is larger than the topic takes: raise max.message.bytes, or send a claim check")
        except tuple(_NEVER_TAKEN) as error:
            return Retry(*_NEVER_TAKEN[type(error)])
        except TimeoutError:
            return Unknown("no-answer", "the leader answered nothing within the time-out")
        except (KafkaError, OSError) as error:
            return Unknown("connection-lost", f"the cluster did not answer ({type(error).__name__})")
        return Delivered((Receipt("transport", "acks=all"),))

    async def _reachable(self, producer: AIOKafkaProducer, topics: AbstractSet[str], ends: float) -> bool:
        """Whether a leader can be talked to: what is given to a producer without one has an outcome that nobody knows."""
        for _ in range(LOOK):
            await asyncio.sleep(0)
        leaders = _leaders(producer, topics & set(self._settings.topics))
        try:
            async with asyncio.timeout_at(ends):
                for leader in leaders:
                    if await producer.client.ready(leader):
                        return True
        except TimeoutError:
            return False
        producer.client.force_metadata_update()
        return not leaders

    async def _ready(self, timeout: float) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **access(self._settings, self._where),
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=int(1000 * self._settings.connect_timeout),
                    max_request_size=1 << 27,  # the topic decides
                )
                try:
                    async with asyncio.timeout(timeout):
                        await producer.start()
                        await self._examine(producer)
                        for leader in _leaders(producer, set(self._settings.topics)):
                            await producer.client.ready(leader)
                except (KafkaConnectionError, KafkaError, OSError, TimeoutError) as error:
                    await _end(producer)
                    raise Transient("connect", f"{self._where}: the cluster cannot be reached ({type(error).__name__})") from None
                except BaseException:
                    await _end(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _examine(self, producer: AIOKafkaProducer) -> None:
        """Each topic is there, and has its replicas."""
        for topic in self._settings.topics:
            partitions = await producer.partitions_for(topic)
            if not partitions:
                raise Rejected("no-topic", f"{self._where}.topics: there is no topic {topic}: make it, or correct the name")
            known = producer.client.cluster._partitions.get(topic, {})  # noqa: SLF001 - aiokafka shows replicas nowhere else
            fewest = min((len(one.replicas) for one in known.values()), default=0)
            if fewest < self._settings.replicas and not self._settings.unreplicated_reason:
                raise Rejected(
                    "replicas",
                    f"{self._where}: topic {topic} has {fewest} replicas, {self._settings.replicas} are needed: what one broker confirms is "
                    "lost with it; raise the replication factor, or say in unreplicated_reason why fewer will do",
                )


def _leaders(producer: AIOKafkaProducer, topics: AbstractSet[str]) -> set[int]:
    cluster = producer.client.cluster
    partitions = [TopicPartition(topic, one) for topic in topics for one in cluster.partitions_for_topic(topic) or ()]
    return {leader for one in partitions if (leader := cluster.leader_for_partition(one)) not in (None, -1)}


def _partitioned(key: str) -> bytes:
    """The record's key: one partition for one ordering key, without telling whose it is."""
    return sha256(key.encode()).hexdigest()[:32].encode()


async def _end(producer: AIOKafkaProducer) -> None:
    """Without waiting for what it cannot get rid of."""
    try:
        async with asyncio.timeout(_CLOSES_WITHIN):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        if producer._sender is not None:  # noqa: SLF001 - it waits for what it cannot get rid of, and has no other end
            await producer._sender.close()  # noqa: SLF001
        await producer.client.close()
