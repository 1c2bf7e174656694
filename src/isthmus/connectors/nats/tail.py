"""Tail: whether a message of ours is in the stream, told by reading its end.

JetStream has no question for a message id. But what was published and not acknowledged can only stand after the last message that we
knew of when we sent it, so we read from there to the stream's end: headers only, by a consumer that lives for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from nats.aio.msg import Msg

from isthmus.connectors.nats.jetstream import NANO, ConsumerConfig, JetStream, numbers_of
from isthmus.connectors.nats.link import Link, Lost
from isthmus.core.failure import Transient

MESSAGE_ID = "Nats-Msg-Id"
MOST = 200_000
"""Messages that are read at most, from the stream's end backwards."""
_AT_ONCE = 2_000
_FORGOTTEN = 30 * NANO
"""After which a consumer is removed that we could not remove ourselves."""


class Tail:
    """What was read of the end of one stream; it grows with each look, and is forgotten with the link."""

    def __init__(self, link: Link, jetstream: JetStream, stream: str) -> None:
        self._link = link
        self._jetstream = jetstream
        self._stream = stream
        self._ids: dict[str, int] = {}
        self._from = self._to = 0
        """Sequences that were read: from (inclusive) to (inclusive); 0: nothing yet."""
        self._reading = asyncio.Lock()

    async def find(self, message_id: str, after: int | None) -> int | None:
        """Its sequence; 0 if it surely is not there after ``after`` (None: anywhere); None if that can no longer be said, since the
        stream was longer than we read, or has removed messages. Raises ``Transient``.
        """
        async with self._reading:
            info = await self._jetstream.stream(self._stream)
            first, last = info.state.first_seq, await self._jetstream.last(self._stream)
            if after is not None and info.state.last_seq < after:
                return None  # another stream of the same name
            begin = max(1 if after is None else after + 1, last - MOST + 1)
            if self._from == 0 or begin < self._from or len(self._ids) > 2 * MOST:
                self._ids.clear()
                self._from, self._to = begin, begin - 1
            if self._to < last:
                await self._read(last)
            if message_id in self._ids:
                return self._ids[message_id]
            complete = self._from <= (1 if after is None else after + 1) and first <= self._from
            return 0 if complete else None

    async def _read(self, last: int) -> None:
        name = f"look-{self._link.connection.new_inbox().rpartition('.')[2]}"
        await self._jetstream.create_consumer(
            self._stream,
            ConsumerConfig(
                name=name,
                deliver_policy="by_start_sequence",
                opt_start_seq=self._to + 1,
                ack_policy="none",
                headers_only=True,
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=_FORGOTTEN,
            ),
        )
        arrived: asyncio.Queue[Msg] = asyncio.Queue()
        inbox = await self._link.hear(arrived.put)
        try:
            while self._to < last:
                question = msgspec.json.encode({"batch": _AT_ONCE, "no_wait": True})
                await self._link.tell(self._jetstream.next_subject(self._stream, name), question, inbox)
                await self._take(arrived, last)
        except Lost:
            raise Transient("connection-lost", "the connection ended while the stream was read") from None
        finally:
            await self._jetstream.delete_consumer(self._stream, name)

    async def _take(self, arrived: asyncio.Queue[Msg], last: int) -> None:
        """One batch. A replica that has not got as far as the stream's leader is not believed."""
        for _ in range(_AT_ONCE):
            message = await arrived.get()
            headers: Mapping[str, str] = message.headers or {}
            at_end = not message.reply  # a status of the server's, such as 404: no more messages
            if not at_end:
                numbers = numbers_of(message.reply)
                self._ids[headers.get(MESSAGE_ID, "")] = self._to = numbers.stream
                at_end = not numbers.pending
            if at_end:
                if self._to < last:
                    raise Transient("behind", "the server that read the stream for us has not all of it yet")
                return
