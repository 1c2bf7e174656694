"""AmqpConsumer: takes messages from a quorum queue in its order, and acknowledges what the journal holds.

At most ``window`` messages are here unacknowledged; the rest stays with the broker. A message whose acknowledgement is lost, because
the connection or we went down, comes again and is recognised by the journal.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import Counter
from contextlib import suppress

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError
from msgspec import Struct

from isthmus.connectors.amqp.link import SINGLE, Link, connect
from isthmus.connectors.amqp.settings import AmqpSource
from isthmus.connectors.answer import what_it_says
from isthmus.connectors.port import Accept, Reply
from isthmus.core.failure import Transient

FIRST, LONGEST = 0.5, 10.0
"""Seconds between two tries to connect: they double from the first to the longest."""
REST = 1.0
"""Seconds until a message that was turned away (the backlog is full) is offered again."""


class _Held(Struct):
    """A message that is here and not handed over; the broker's numbers give their order."""

    tag: int
    message: AbstractIncomingMessage

    def __lt__(self, other: _Held) -> bool:
        return self.tag < other.tag


class AmqpConsumer:
    """One source."""

    def __init__(self, name: str, settings: AmqpSource) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._where = f"sources.{name}"
        self._peer = f"amqp/{settings.queue}"
        self._accept: Accept | None = None
        self._link: Link | None = None
        self._held: list[_Held] = []
        self._unanswered = 0
        self._answered = asyncio.Event()
        self._paused = self._stopping = False
        self._resting: asyncio.TimerHandle | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._acks: set[asyncio.Task[None]] = set()

    async def start(self, accept: Accept) -> None:
        """Raises ``Rejected`` where the configuration is wrong; a broker that is away is tried again and again."""
        self._accept, self._stopping = accept, False
        with suppress(Transient):
            await self._connect()
        self._keeping = asyncio.create_task(self._keep(), name=f"consume {self.name}")

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._pump()

    async def stop(self) -> None:
        self._stopping = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self._held.clear()  # never acknowledged: the broker gives them to whoever comes next
        while self._unanswered:
            self._answered.clear()
            await self._answered.wait()
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
        self._held.clear()  # of the lost connection; they come again
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
        if not self._stopping:
            insort(self._held, _Held(message.delivery_tag or 0, message))
            self._pump()

    def _pump(self) -> None:
        """Hand over what is here, oldest first, as far as we may."""
        while self._held and not self._paused and not self._stopping and self._resting is None and self._accept is not None:
            held = self._held.pop(0)
            self._unanswered += 1
            self._accept(self.name, held.message.body, self._peer, self._reply(held))

    def _reply(self, held: _Held) -> Reply:
        def reply(answer: bytes | None, taken: bool) -> None:
            self._unanswered -= 1
            said = what_it_says(answer, taken)
            if said == "busy":
                self.counts["busy"] += 1
                if not self._stopping:
                    insort(self._held, held)
                    self._rest()
            else:
                if said == "refused":
                    self.counts["refused"] += 1  # in the journal, with its reason
                task = asyncio.get_running_loop().create_task(self._acknowledge(held.message))
                self._acks.add(task)
                task.add_done_callback(self._acks.discard)
            self._answered.set()

        return reply

    async def _acknowledge(self, message: AbstractIncomingMessage) -> None:
        try:
            await message.ack()
        except (AMQPError, OSError, RuntimeError):
            self.counts["ack-lost"] += 1  # it comes again and is recognised

    def _rest(self) -> None:
        if self._resting is None:
            self._resting = asyncio.get_running_loop().call_later(REST, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self._pump()
