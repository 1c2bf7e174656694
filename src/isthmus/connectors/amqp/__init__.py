"""Queues of an AMQP 0-9-1 broker (RabbitMQ): words, settings, and how to connect or listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.amqp.settings import AmqpEndpoint, AmqpSource
from isthmus.connectors.amqp.words import Amqp

if TYPE_CHECKING:
    from isthmus.connectors.port import Budget, Client, Source


def connect(name: str, settings: AmqpEndpoint, budget: Budget) -> Client:
    """The client of one endpoint."""
    from isthmus.connectors.amqp.client import AmqpClient  # noqa: PLC0415 (needs the extra `amqp`; sites import the words only)

    return AmqpClient(name, settings, budget)


def listen(name: str, settings: AmqpSource) -> Source:
    """The consumer of one source."""
    from isthmus.connectors.amqp.source import AmqpConsumer  # noqa: PLC0415 (as above)

    return AmqpConsumer(name, settings)


__all__ = ["Amqp", "AmqpEndpoint", "AmqpSource", "connect", "listen"]
