"""AmqpClient: publishes, and believes the broker's confirmation only.

| what happens | outcome |
|---|---|
| confirmed (``basic.ack``) | Delivered |
| refused by the broker (``basic.nack``: queue full, no quorum) | Retry |
| returned: no queue takes the routing key | Reject ``unroutable`` |
| no connection | Retry |
| the connection or channel ends, or time is over, before the confirmation | Unknown |

A broker has no question for a message id. So after an unknown outcome the message is published again where consumers recognise it
(``deduplicates``); otherwise a person decides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import aio_pika
from aio_pika.abc import AbstractExchange, DeliveryMode
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError, PublishError

from isthmus.connectors.amqp.link import ORDERING_KEY, QUORUM, Link, connect
from isthmus.connectors.amqp.settings import AmqpEndpoint
from isthmus.connectors.amqp.words import routing_key_of
from isthmus.connectors.port import Budget
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane

LOOK = 25
"""Turns of the event loop before a batch: an end of the connection that has arrived is seen then, and nothing is written into it."""
CONFIRMED = Delivered((Receipt("transport", "confirmed"),))


class AmqpClient:
    """One endpoint; one connection and channel, made anew when they are lost."""

    def __init__(self, name: str, settings: AmqpEndpoint, budget: Budget) -> None:
        self.max_batch = settings.max_batch
        self.in_flight = settings.in_flight
        self.counts: Counter[str] = Counter()
        self._where = f"endpoints.{name}"
        self._settings = settings
        self._budget = budget
        self._link: Link | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        await self._ready(self._settings.connect_timeout)

    async def close(self) -> None:
        link, self._link, self._exchange = self._link, None, None
        if link is not None:
            await link.close()

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        async with self._budget.call(lane):
            ends = asyncio.get_running_loop().time() + timeout
            try:
                exchange = await self._ready(min(timeout, self._settings.connect_timeout))
            except (Transient, Rejected) as failure:
                outcomes: Sequence[Outcome] = [Retry(failure.code, failure.detail)] * len(deliveries)
            else:
                # Each begins to write before the next: what goes out is in this order, and all confirmations are awaited together.
                outcomes = await asyncio.gather(*(self._publish(exchange, one, ends) for one in deliveries))
        if any(isinstance(one, Unknown | Retry) for one in outcomes):
            await self._drop()  # also after a nack: a channel goes on asking a leader that is gone
        self.counts.update(one.code for one in outcomes if not isinstance(one, Delivered))
        return outcomes

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        del delivery, timeout, lane
        if self._settings.deduplicates:
            return Retry("resend", "consumers recognise what they have by its message id")
        return Reject("outcome-unknown", "ask the consumers for this message id, then redeliver or abandon it")

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        del timeout, lane
        raise Rejected("lookup", f"a broker answers no questions, such as {lookup.name!r}: ask another endpoint")

    async def ping(self, timeout: float) -> None:
        link = await connect(self._settings, self._where, timeout)
        await link.close()

    # ---- one message -------------------------------------------------------------------------------------------------------------

    async def _publish(self, exchange: AbstractExchange, delivery: Delivery, ends: float) -> Outcome:
        message = aio_pika.Message(
            delivery.body,
            message_id=delivery.id,
            correlation_id=delivery.correlation_id,
            content_type=delivery.content_type,
            delivery_mode=DeliveryMode.PERSISTENT,
            app_id="isthmus",
            headers={ORDERING_KEY: delivery.ordering_key} if delivery.ordering_key else {},
        )
        try:
            async with asyncio.timeout_at(ends):
                await exchange.publish(message, routing_key_of(delivery.operation), mandatory=True)
        except PublishError:
            return Reject("unroutable", "no queue takes this routing key: bind one, then redeliver")
        except DeliveryError:
            return Retry("nack", "the broker did not take it: is the queue full, or a majority of its nodes away?")
        except TimeoutError:
            return Unknown("no-confirmation", "the broker confirmed nothing within the time-out")
        except (AMQPError, OSError, RuntimeError) as error:
            return Unknown("connection-lost", f"the connection ended before the confirmation ({type(error).__name__})")
        return CONFIRMED

    async def _ready(self, timeout: float) -> AbstractExchange:
        async with self._opening:
            for _ in range(LOOK):
                await asyncio.sleep(0)
            if self._exchange is not None and self._link is not None and self._link.alive:
                return self._exchange
            await self._drop()
            self._link = await connect(self._settings, self._where, timeout)
            try:
                async with asyncio.timeout(timeout):
                    self._exchange = await self._prepare(self._link)
            except (AMQPError, OSError, TimeoutError) as error:
                await self._drop()
                raise Transient("connect", f"{self._where}: the broker did not get ready ({type(error).__name__})") from None
            except BaseException:
                await self._drop()
                raise
            return self._exchange

    async def _prepare(self, link: Link) -> AbstractExchange:
        settings = self._settings
        if settings.queue:
            queue = await link.queue(settings.queue, QUORUM, self._where)
            if settings.exchange:
                await link.bind(queue, settings.exchange, settings.binding, self._where)
        if not settings.exchange:
            return link.channel.default_exchange
        try:
            return await link.channel.get_exchange(settings.exchange, ensure=True)
        except ChannelNotFoundEntity:
            raise Rejected(
                "no-exchange", f"{self._where}.exchange: there is no exchange {settings.exchange}: make it, or correct the name"
            ) from None

    async def _drop(self) -> None:
        """Whatever is still under way on this connection must not be mistaken for an answer to something later."""
        link, self._link, self._exchange = self._link, None, None
        if link is not None:
            await link.close()
