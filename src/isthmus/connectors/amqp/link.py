"""Link: one connection to a broker and its channel, opened as the settings say; what goes wrong is told apart."""

from __future__ import annotations

import asyncio

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ProbableAuthenticationError,
)

from isthmus.connectors.amqp.settings import AmqpEndpoint, AmqpSource
from isthmus.connectors.tls import client_context
from isthmus.core.failure import Rejected, Transient

HEARTBEAT = 10
"""Seconds between two signs of life; a connection without any for twice as long is dead (AMQP 0-9-1, 4.2.7)."""
_PORT, _TLS_PORT = 5672, 5671

ORDERING_KEY = "isthmus-ordering-key"
"""Header: messages with the same one keep their order through the consumer's journal."""

QUORUM: dict[str, aio_pika.abc.FieldValue] = {"x-queue-type": "quorum"}
SINGLE: dict[str, aio_pika.abc.FieldValue] = {**QUORUM, "x-single-active-consumer": True}


class Link:
    """An open connection with one channel in confirm mode."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        self.connection = connection
        self.channel = channel

    @property
    def alive(self) -> bool:
        return not self.connection.is_closed and not self.channel.is_closed

    async def close(self) -> None:
        await self.connection.close()

    async def queue(self, name: str, arguments: dict[str, aio_pika.abc.FieldValue], where: str) -> AbstractQueue:
        """The queue of this name in this form: found, or made."""
        try:
            return await self.channel.declare_queue(name, durable=True, arguments=dict(arguments))
        except ChannelPreconditionFailed:
            wanted = ", ".join(f"{one} = {value!r}" for one, value in arguments.items())
            raise Rejected(
                "queue-form", f"{where}.queue: {name} is there in another form: it must be durable with {wanted}; name or make another"
            ) from None

    async def bind(self, queue: AbstractQueue, exchange: str, binding: str, where: str) -> None:
        try:
            await self.channel.get_exchange(exchange, ensure=True)
        except ChannelNotFoundEntity:
            raise Rejected("no-exchange", f"{where}.exchange: there is no exchange {exchange}: make it, or correct the name") from None
        await queue.bind(exchange, binding)


async def connect(settings: AmqpEndpoint | AmqpSource, where: str, timeout: float) -> Link:
    """Connect to the first host that answers; raises ``Transient`` when none does and ``Rejected`` when we are not let in."""
    context = client_context(settings.tls, where) if settings.tls is not None else None
    last = ""
    for host in settings.hosts:
        name, _, port = host.partition(":")
        try:
            async with asyncio.timeout(timeout):
                connection = await aio_pika.connect(
                    host=name,
                    port=int(port) if port else _TLS_PORT if context else _PORT,
                    login=settings.user,
                    password=settings.password,
                    virtualhost=settings.vhost,
                    ssl=context is not None,
                    ssl_context=context,
                    heartbeat=HEARTBEAT,
                )
                return Link(connection, await connection.channel(publisher_confirms=True, on_return_raises=True))
        except (AuthenticationError, ProbableAuthenticationError):
            raise Rejected("login", f"{where}: the broker does not let {settings.user} in: check user, password and vhost") from None
        except (AMQPError, OSError, TimeoutError) as error:
            last = type(error).__name__
    raise Transient("connect", f"{where}: none of {len(settings.hosts)} hosts takes a connection ({last})")
