"""What an interface may say to a Kafka topic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
_PRODUCE = "produce "


class Kafka(Endpoint):
    """``Kafka("cell")``: records to a topic. Those of one ordering key go to one partition, under a hash: keys are seen by operators."""

    kind = "kafka"

    def produce(
        self,
        topic: str,
        body: Struct | Mapping[str, Any] | bytes,
        *,
        key: str,
        ordering_key: str = "",
        content_type: str = "application/json",
    ) -> Delivery:
        """A record in this topic; its ``id`` header is the delivery's id."""
        if not _TOPIC.match(topic):
            raise Bug("topic", f"a topic of endpoint {self.name} is 1 to 249 letters, digits and ._-")
        return Delivery(
            endpoint=self.name,
            operation=_PRODUCE + topic,
            key=key,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body, order="deterministic"),
            ordering_key=ordering_key,
            content_type=content_type,
        )


def topic_of(operation: str) -> str:
    """The topic in ``produce <topic>``, checked again."""
    topic = operation.removeprefix(_PRODUCE)
    if not operation.startswith(_PRODUCE) or not _TOPIC.match(topic):
        raise Bug("operation", "a Kafka delivery's operation is `produce <topic>`: build it by its words")
    return topic
