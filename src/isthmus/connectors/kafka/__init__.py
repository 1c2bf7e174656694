"""Topics of a Kafka cluster: words, settings, and how to connect or listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.kafka.settings import KafkaEndpoint, KafkaSource
from isthmus.connectors.kafka.words import Kafka

if TYPE_CHECKING:
    from isthmus.connectors.port import Budget, Client, Source


def connect(name: str, settings: KafkaEndpoint, budget: Budget) -> Client:
    """The client of one endpoint."""
    from isthmus.connectors.kafka.client import KafkaClient  # noqa: PLC0415 (needs the extra `kafka`; sites import the words only)

    return KafkaClient(name, settings, budget)


def listen(name: str, settings: KafkaSource) -> Source:
    """The consumer of one source."""
    from isthmus.connectors.kafka.source import KafkaConsumer  # noqa: PLC0415 (as above)

    return KafkaConsumer(name, settings)


__all__ = ["Kafka", "KafkaEndpoint", "KafkaSource", "connect", "listen"]
