"""NatsClient: publishes to a stream, and believes the stream's acknowledgement only.

| what happens | outcome |
|---|---|
| acknowledged | Delivered; ``unchanged`` where the stream had it already |
| no connection; no stream or no leader listens on the subject; the stream is full | Retry |
| message too large, subject not ours, another stream's subject | Reject |
| the connection ends, or time is over, before the acknowledgement | Unknown |

After an unknown outcome the stream's end is read for the message id (``tail``): Delivered if it is there, Retry if it is surely not.
Where that can no longer be told (the stream was restarted from nothing, is too long to read, has removed messages meanwhile) the
message is published again if consumers recognise it (``deduplicates``), and is a person's otherwise.

Messages of one ordering key never overtake each other: within a batch the next one leaves when the one before is acknowledged, and if
that fails, it is not sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from nats.aio.msg import Msg

from isthmus.connectors.nats.durability import demand, wanted
from isthmus.connectors.nats.jetstream import NO_STREAM, JetStream, Refused, Stream, pub_ack
from isthmus.connectors.nats.link import Link, Lost, connect
from isthmus.connectors.nats.outcomes import AFTER_FAILURE, NO_ACKNOWLEDGEMENT, TIMEOUT, refused, unanswered
from isthmus.connectors.nats.settings import NatsEndpoint
from isthmus.connectors.nats.tail import MESSAGE_ID, Tail
from isthmus.connectors.nats.words import subject_of
from isthmus.connectors.port import Budget, NoTurn
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Rejected, Transient
from isthmus.core.ids import derive_id
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane
from isthmus.formats.cloudevents import MEDIA_TYPE, numbered

ORDERING_KEY = "Isthmus-Ordering-Key"
"""Header with a hash of the ordering key: a source keeps the order of messages that share it, and nobody reads a patient from it."""
_HEADERS = 512
"""Bytes that our headers have at most."""


class NatsClient:
    """One endpoint; one connection, made anew when it is lost."""

    def __init__(self, name: str, settings: NatsEndpoint, budget: Budget) -> None:
        self.max_batch = settings.max_batch
        self.in_flight = settings.in_flight
        self.counts: Counter[str] = Counter()
        """Reason codes of what went wrong, for telemetry."""
        self._where = f"endpoints.{name}"
        self._settings = settings
        self._budget = budget
        self._link: Link | None = None
        self._tail: Tail | None = None
        self._opening = asyncio.Lock()
        self._last = 0
        """The highest sequence that the stream has told us."""
        self._doubtful: dict[str, int] = {}
        """Of what was sent without an answer: after which sequence it would stand."""

    async def open(self) -> None:
        await self._ready(self._settings.connect_timeout)

    async def close(self) -> None:
        link, self._link, self._tail = self._link, None, None
        if link is not None:
            await link.close()

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        try:
            async with self._budget.call(lane):
                ends = asyncio.get_running_loop().time() + timeout
                link = await self._ready(min(timeout, self._settings.connect_timeout))
                outcomes = await self._publish_all(link, deliveries, ends)
        except NoTurn:
            raise  # nothing was begun; the courier knows what that means
        except (Transient, Rejected) as failure:
            outcomes = [Retry(failure.code, failure.detail)] * len(deliveries)
        self.counts.update(one.code for one in outcomes if not isinstance(one, Delivered))
        return outcomes

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        try:
            async with self._budget.call(lane), asyncio.timeout(timeout):
                await self._ready(min(timeout, self._settings.connect_timeout))
                found = await self._find(delivery.id)
        except NoTurn:
            raise
        except (Transient, Rejected) as failure:
            return Unknown(failure.code, failure.detail)
        except TimeoutError:
            return Unknown("timeout", "the stream could not be read within the time-out")
        if found is None and not self._settings.deduplicates:
            return Reject("outcome-unknown", "the stream no longer tells: ask the consumers for this id, then redeliver or abandon it")
        self._doubtful.pop(delivery.id, None)
        if found:
            return Delivered((Receipt("transport", "stored", f"{self._settings.stream}/{found}"),))
        if found is None:
            return Retry("resend", "the stream no longer tells; consumers recognise what they have by its id")
        return Retry("not-there", "it is not in the stream")

    async def _find(self, message_id: str) -> int | None:
        if self._tail is None:
            raise Transient("connection-lost", "the stream could not be read")
        try:
            return await self._tail.find(message_id, self._doubtful.get(message_id))
        except Refused as no:
            raise Transient("not-readable", f"{self._where}: JetStream does not let us read the stream ({no})") from None

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        del timeout, lane
        raise Rejected("lookup", f"a stream answers no questions, such as {lookup.name!r}: ask another endpoint")

    async def ping(self, timeout: float) -> None:
        """A connection of its own, and the stream behind it."""
        link = await connect(self._settings, self._where, "isthmus ping", timeout)
        try:
            await self._stream(JetStream(link, self._settings.domain, self._where, timeout), create=False)
        finally:
            await link.close()

    # ---- a batch ---------------------------------------------------------------------------------------------------------------------

    async def _publish_all(self, link: Link, deliveries: Sequence[Delivery], ends: float) -> list[Outcome]:
        """In rounds: each ordering key has one message in a round. All of a round are under way together."""
        outcomes: list[Outcome] = [AFTER_FAILURE] * len(deliveries)
        places = list(range(len(deliveries)))
        stopped: set[str] = set()
        while places:
            now: dict[str, int] = {}
            later: list[int] = []
            for place in places:
                key = deliveries[place].ordering_key or deliveries[place].id
                if key not in stopped and now.setdefault(key, place) != place:
                    later.append(place)
            round_ = [place for key, place in now.items() if key not in stopped]
            for place, outcome in zip(round_, await self._publish(link, [deliveries[one] for one in round_], ends), strict=True):
                outcomes[place] = outcome
                if not isinstance(outcome, Delivered):
                    stopped.add(deliveries[place].ordering_key or deliveries[place].id)
            places = later
        return outcomes

    async def _publish(self, link: Link, deliveries: Sequence[Delivery], ends: float) -> list[Outcome]:
        """Each begins to be written before the next; then all acknowledgements are awaited together."""
        after = self._last
        asked: list[asyncio.Future[Msg] | Outcome] = [TIMEOUT] * len(deliveries)
        with suppress(TimeoutError):  # a connection that takes no more bytes; what is in its buffer may still leave
            async with asyncio.timeout_at(ends):
                for place, one in enumerate(deliveries):
                    asked[place] = await self._ask(link, one)
        waiting = [one for one in asked if isinstance(one, asyncio.Future)]
        if waiting:
            await asyncio.wait(waiting, timeout=max(0.0, ends - asyncio.get_running_loop().time()))
        outcomes = [self._outcome(one) if isinstance(one, asyncio.Future) else one for one in asked]
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            if isinstance(outcome, Unknown):
                self._doubtful.setdefault(delivery.id, after)
            elif isinstance(outcome, Delivered):
                self._doubtful.pop(delivery.id, None)
        return outcomes

    async def _ask(self, link: Link, delivery: Delivery) -> asyncio.Future[Msg] | Outcome:
        body = numbered(delivery.body, delivery.id) if delivery.content_type == MEDIA_TYPE else delivery.body
        if len(body) + _HEADERS > link.max_payload:
            return Reject(
                "too-large", f"the server takes messages of at most {link.max_payload} bytes (max_payload); send a reference instead"
            )
        headers = {
            MESSAGE_ID: delivery.id,
            "Nats-Expected-Stream": self._settings.stream,
            "Content-Type": delivery.content_type,
            "Correlation-Id": delivery.correlation_id,
        }
        if delivery.ordering_key:
            headers[ORDERING_KEY] = derive_id("order", delivery.ordering_key)
        try:
            return await link.ask(subject_of(delivery.operation), body, headers)
        except Lost:
            return Retry("connection-lost", "the connection had ended before it was sent")

    def _outcome(self, answer: asyncio.Future[Msg]) -> Outcome:
        if not answer.done():
            answer.cancel()
            return TIMEOUT
        failure = answer.exception()
        if failure is not None:
            return unanswered(failure, self._where)
        try:
            acknowledged = pub_ack(answer.result().data)
        except msgspec.DecodeError:
            return NO_ACKNOWLEDGEMENT
        if acknowledged.error is not None:
            return refused(acknowledged.error, self._settings.stream)
        self._last = max(self._last, acknowledged.seq)
        receipt = Receipt("transport", "stored", f"{acknowledged.stream}/{acknowledged.seq}")
        return Delivered((receipt,), unchanged=acknowledged.duplicate)

    # ---- the connection --------------------------------------------------------------------------------------------------------------

    async def _ready(self, timeout: float) -> Link:
        async with self._opening:
            if self._link is not None:
                await self._link.settle()
                if self._link.alive:
                    return self._link
                await self.close()
            link = await connect(self._settings, self._where, "isthmus", timeout)
            try:
                jetstream = JetStream(link, self._settings.domain, self._where, timeout)
                stream = await self._stream(jetstream, create=self._settings.create)
                await demand(self._settings, stream, self._where)
            except BaseException:
                await link.close()
                raise
            self._last = stream.state.last_seq
            self._link, self._tail = link, Tail(link, jetstream, self._settings.stream)
            return link

    async def _stream(self, jetstream: JetStream, *, create: bool) -> Stream:
        try:
            return await jetstream.stream(self._settings.stream)
        except Refused as no:
            if no.err_code != NO_STREAM:
                raise Transient("stream", f"{self._where}.stream: JetStream does not tell of it now ({no})") from None
        if not create:
            raise Rejected("no-stream", f"{self._where}.stream: there is no stream {self._settings.stream}: make it, or set create")
        try:
            return await jetstream.create_stream(wanted(self._settings))
        except Refused as no:
            raise Rejected("stream-not-made", f"{self._where}.stream: {self._settings.stream} cannot be made: {no}") from None
