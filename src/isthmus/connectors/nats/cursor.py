"""Cursor: how far a source is in a stream, kept by the stream itself, and whose turn it is to move it.

A durable consumer of JetStream remembers what was acknowledged. But one consumer that two nodes ask, or that is asked again after a node
died, gives messages out of order: what the dead node had been given comes back only after ``ack_wait``, behind what is newer. So each
start makes a consumer of its own, ``<name>-<number>``, that begins right after the last message of which all before are acknowledged,
and removes the one before it. Whoever still holds the older one can do nothing more with it: the number is a fence.
"""

from __future__ import annotations

import re

from msgspec import Struct

from isthmus.connectors.nats.jetstream import (
    CONSUMER_EXISTS,
    NANO,
    NO_CONSUMER,
    NO_STREAM,
    Consumer,
    ConsumerConfig,
    JetStream,
    Refused,
    Stream,
)
from isthmus.connectors.nats.settings import NatsSource
from isthmus.core.failure import Rejected, Transient

_DIGITS = 8


class Turn(Struct, frozen=True):
    """One consumer of ours."""

    consumer: str
    removed: int
    """Messages that the stream removed before we had read them, as far as it tells: perhaps more, and told only where we take all its
    subjects."""


class Cursor:
    """Of one source."""

    def __init__(self, settings: NatsSource, where: str) -> None:
        self._settings = settings
        self._where = where
        self._ours = re.compile(rf"{re.escape(settings.consumer)}-\d{{{_DIGITS}}}\Z")

    async def take(self, jetstream: JetStream, node: str) -> Turn:
        """Take over. Raises ``Rejected`` where the configuration is wrong, ``Transient`` where it cannot be done now."""
        settings = self._settings
        try:
            stream = await jetstream.stream(settings.stream)
            while True:
                before = [one for name in await self._names(jetstream) if (one := await self._info(jetstream, name)) is not None]
                newest = max((one.name for one in before), default=f"{settings.consumer}-{0:0{_DIGITS}}")
                floor = min(max((one.ack_floor.stream_seq for one in before), default=0), stream.state.last_seq)
                name = f"{settings.consumer}-{int(newest.rpartition('-')[2]) + 1:0{_DIGITS}}"
                try:
                    await jetstream.create_consumer(settings.stream, self._config(name, floor + 1, node))
                except Refused as no:
                    if no.err_code != CONSUMER_EXISTS:
                        raise
                else:
                    break
            for one in before:
                await jetstream.delete_consumer(settings.stream, one.name)
        except Refused as no:
            if no.err_code == NO_STREAM:
                raise Rejected(
                    "no-stream",
                    f"{self._where}.stream: there is no stream {settings.stream}: let its publisher make it, or correct the name",
                ) from None
            if no.code >= 500:  # noqa: PLR2004 - as in HTTP
                raise Transient("jetstream", f"{self._where}: JetStream cannot make our consumer now ({no})") from None
            raise Rejected("consumer", f"{self._where}.consumer: JetStream refuses it: {no}") from None
        return Turn(name, self._removed(stream, floor) if before else 0)

    async def somebody_listens(self, jetstream: JetStream) -> bool:
        """Whether the newest consumer has been asked for messages and is waited for."""
        names = await self._names(jetstream)
        newest = await self._info(jetstream, max(names)) if names else None
        return newest is not None and newest.num_waiting > 0

    async def _names(self, jetstream: JetStream) -> list[str]:
        return [name for name in await jetstream.consumer_names(self._settings.stream) if self._ours.match(name)]

    async def _info(self, jetstream: JetStream, name: str) -> Consumer | None:
        try:
            return await jetstream.consumer(self._settings.stream, name)
        except Refused as no:
            if no.err_code == NO_CONSUMER:
                return None
            raise

    def _config(self, name: str, start: int, node: str) -> ConsumerConfig:
        settings = self._settings
        return ConsumerConfig(
            name=name,
            durable_name=name,
            deliver_policy="by_start_sequence",
            opt_start_seq=start,
            ack_policy="explicit",
            ack_wait=int(settings.ack_wait * NANO),
            max_ack_pending=settings.window,
            filter_subjects=list(settings.subjects),
            metadata={"node": node},
        )

    def _removed(self, stream: Stream, floor: int) -> int:
        everything = not self._settings.subjects or set(self._settings.subjects) == set(stream.config.subjects)
        return max(0, stream.state.first_seq - floor - 1) if everything else 0
