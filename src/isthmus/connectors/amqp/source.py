"""AmqpConsumer: takes messages from a quorum queue in its order, and acknowledges what the journal holds.

At most ``window`` messages are here unacknowledged; the rest stays with the broker. Those with the same ordering key (its header) are
handed over one after the other, others side by side in the queue's order. A message whose acknowledgement is lost, because
the connection or we went down, comes again and is recognised by the journal.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from isthmus.connectors.amqp.link import ORDERING_KEY, SINGLE, Link, connect
from isthmus.connectors.amqp.settings import AmqpSource
from isthmus.connectors.handover import Handover
from isthmus.connectors.port import Accept
from isthmus.core.failure import Transient

FIRST, LONGEST = 0.5, 10.0
"""Seconds between two tries to connect: they double from the first to the longest."""


class AmqpConsumer:
    """One source."""

    def __init__(self, name: str, settings: AmqpSource) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._where = f"sources.{name}"
        self._handover: Handover[AbstractIncomingMessage] = Handover(name, f"amqp/{settings.queue}", self.counts, self._durable)
        self._link: Link | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._acks: set[asyncio.Task[None]] = set()

    async def start(self, accept: Accept) -> None:
        """Raises ``Rejected`` where the configuration is wrong; a broker that is away is tried again and again."""
        self._handover.start(accept)
        with suppress(Transient):
            await self._connect()
        self._keeping = asyncio.create_task(self._keep(), name=f"consume {self.name}")

    def pause(self) -> None:
        self._handover.pause()

    def resume(self) -> None:
        self._handover.resume()

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        await self._handover.stop()
        await asyncio.gather(*self._acks, return_exceptions=True)
        await self._drop()

    # ---- the connection ------------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Connected at all times, as far as the broker lets us."""
        wait = FIRST
        while True:
            if self._link is None or not self._link.alive:
                try:
                    await self._connect()
                except Transient as failure:
                    self.counts[failure.code] += 1
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, LONGEST)
                    continue
            wait = FIRST
            await asyncio.sleep(FIRST)

    async def _connect(self) -> None:
        if self._link is not None:
            self.counts["connection-lost"] += 1
        await self._drop()
        self._handover.begin_anew()
        settings = self._settings
        link = await connect(settings, self._where, settings.connect_timeout)
        try:
            await link.channel.set_qos(prefetch_count=settings.window)
            queue = await link.queue(settings.queue, SINGLE, self._where)
            if settings.exchange:
                await link.bind(queue, settings.exchange, settings.binding, self._where)
            await queue.consume(self._receive)
        except (AMQPError, OSError, RuntimeError) as error:
            await link.close()
            raise Transient("connect", f"{self._where}: the broker gave no queue ({type(error).__name__})") from None
        except BaseException:
            await link.close()
            raise
        self._link = link

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    # ---- messages ------------------------------------------------------------------------------------------------------------------

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        key = message.headers.get(ORDERING_KEY, "")
        self._handover.take(key if isinstance(key, str) else "", message.body, message)

    def _durable(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.get_running_loop().create_task(self._acknowledge(message))
        self._acks.add(task)
        task.add_done_callback(self._acks.discard)

    async def _acknowledge(self, message: AbstractIncomingMessage) -> None:
        try:
            await message.ack()
        except (AMQPError, OSError, RuntimeError):
            self.counts["ack-lost"] += 1  # it comes again and is recognised
