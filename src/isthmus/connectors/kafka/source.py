"""KafkaConsumer: takes records in the order of their partitions, and commits the offsets of what the journal holds.

Records with the same key are handed over one after the other, others side by side. An offset is committed when every record before it is durable. Records after it that are durable too come again when we go down in
between, and are recognised by the journal.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from isthmus.connectors.handover import Handover
from isthmus.connectors.kafka.access import access
from isthmus.connectors.kafka.settings import KafkaSource
from isthmus.connectors.port import Accept


class Record(Protocol):
    """What is used of aiokafka's."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


COMMIT_EVERY = 0.2
"""Seconds between two commits of offsets: what is not committed comes again and costs a duplicate, no more."""
ANSWERED_WITHIN = 10.0
"""Seconds that a rebalance waits for the journal, so that the next owner of a partition does not overtake us."""
FIRST, LONGEST = 0.5, 10.0
"""Seconds between two tries to reach the cluster."""
ENTRY = 0.2
"""Seconds until a look for new records ends, so that a stop is heard."""


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka asks for the class, and has no types
    """One source."""

    def __init__(self, name: str, settings: KafkaSource) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._handover: Handover[Record] = Handover(name, f"kafka/{settings.group}", self.counts, self._durable)
        self._marks: dict[TopicPartition, _Mark] = {}
        self._room = asyncio.Event()
        self._consuming: asyncio.Task[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._end = asyncio.Event()

    async def start(self, accept: Accept) -> None:
        """A cluster that is away is tried again and again."""
        given = access(self._settings, f"sources.{self.name}")
        self._handover.start(accept)
        self._end.clear()
        self._consuming = asyncio.create_task(self._keep(given), name=f"consume {self.name}")

    def pause(self) -> None:
        self._handover.pause()

    def resume(self) -> None:
        self._handover.resume()
        self._room.set()

    async def stop(self) -> None:
        self._end.set()
        self._room.set()
        consuming, self._consuming = self._consuming, None
        if consuming is not None:
            await consuming

    # ---- the loop ------------------------------------------------------------------------------------------------------------------

    async def _keep(self, given: dict[str, Any]) -> None:
        wait = FIRST
        while not self._end.is_set():
            consumer = AIOKafkaConsumer(
                **given,
                group_id=self._settings.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest" if self._settings.start == "beginning" else "latest",
                isolation_level="read_committed",
            )
            consumer.subscribe(self._settings.topics, listener=self)
            try:
                async with asyncio.timeout(self._settings.connect_timeout):
                    await consumer.start()
                wait = FIRST
                await self._consume(consumer)
            except (KafkaError, OSError, TimeoutError):
                self.counts["connect"] += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._end.wait(), wait)
                wait = min(2 * wait, LONGEST)
            finally:
                await self._handover_stopped()
                with suppress(KafkaError, OSError):
                    await self._commit(consumer)
                await consumer.stop()
                self._marks.clear()

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        committed = asyncio.get_running_loop().time()
        self._consumer = consumer
        while not self._end.is_set():
            room = self._settings.window - self._handover.here
            if room > 0:
                for partition, records in (await consumer.getmany(timeout_ms=int(1000 * ENTRY), max_records=room)).items():
                    for record in records:
                        self._take(partition, record)
            else:
                self._room.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._room.wait(), ENTRY)
            if asyncio.get_running_loop().time() - committed >= COMMIT_EVERY:
                await self._commit(consumer)
                committed = asyncio.get_running_loop().time()

    def _take(self, partition: TopicPartition, record: Record) -> None:
        mark = self._marks.setdefault(partition, _Mark(record.offset))
        mark.taken(record.offset)
        key = f"{partition.topic}/{partition.partition}/{record.key.hex()}" if record.key else ""
        self._handover.take(key, record.value or b"", record)

    def _durable(self, record: Record) -> None:
        mark = self._marks.get(TopicPartition(record.topic, record.partition))
        if mark is not None:
            mark.durable(record.offset)
        self._room.set()

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        offsets = {partition: mark.next for partition, mark in self._marks.items() if mark.moved}
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            self.counts["commit-lost"] += 1  # the partition is another's now: he takes these again, and the journal knows them
        for partition in offsets:
            self._marks[partition].moved = False

    async def _handover_stopped(self) -> None:
        if self._end.is_set():
            await self._handover.stop()
        else:
            self._handover.begin_anew()

    # ---- partitions come and go ----------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] # either will do
        self._handover.begin_anew()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._handover.answered(), ANSWERED_WITHIN)
        if self._consumer is not None:
            with suppress(KafkaError):
                await self._commit(self._consumer)
        for partition in revoked:
            self._marks.pop(partition, None)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """They are met when their records come."""


class _Mark:
    """How far a partition is durable without a gap."""

    def __init__(self, offset: int) -> None:
        self.next = offset
        """The first offset that is not known to be durable; what is committed."""
        self.moved = False
        self._open: dict[int, bool] = {}
        """Offsets that are here, in their order, and whether they are durable."""

    def taken(self, offset: int) -> None:
        self._open[offset] = False

    def durable(self, offset: int) -> None:
        if offset in self._open:
            self._open[offset] = True
        for one in list(self._open):
            if not self._open[one]:
                break
            del self._open[one]
            self.next, self.moved = one + 1, True
