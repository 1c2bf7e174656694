"""NATS JetStream: the streams over which cells tell each other what happened. Words, settings, and how to connect or listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.nats.settings import NatsEndpoint, NatsSource
from isthmus.connectors.nats.words import Nats

if TYPE_CHECKING:
    from isthmus.connectors.port import Budget, Client, Source


def connect(name: str, settings: NatsEndpoint, budget: Budget) -> Client:
    """The client of one endpoint."""
    from isthmus.connectors.nats.client import NatsClient  # noqa: PLC0415 (needs the extra `nats`; sites import the words only)

    return NatsClient(name, settings, budget)


def listen(name: str, settings: NatsSource) -> Source:
    """The consumer of one source."""
    from isthmus.connectors.nats.source import NatsConsumer  # noqa: PLC0415 (as above)

    return NatsConsumer(name, settings)


__all__ = ["Nats", "NatsEndpoint", "NatsSource", "connect", "listen"]
