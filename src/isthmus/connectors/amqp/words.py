"""What an interface may say to a broker's exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug

_ROUTING_KEY = re.compile(r"[!-~]{1,255}\Z")
_PUBLISH = "publish "


class Amqp(Endpoint):
    """``Amqp("billing")``: messages to an exchange or a queue.

    Routing keys are seen by everybody who may look at the broker: they must hold nothing of a patient.
    """

    kind = "amqp"

    def publish(
        self,
        routing_key: str,
        body: Struct | Mapping[str, Any] | bytes,
        *,
        key: str,
        ordering_key: str = "",
        content_type: str = "application/json",
    ) -> Delivery:
        """A persistent message under this routing key; its message id is the delivery's id."""
        if not _ROUTING_KEY.match(routing_key):
            raise Bug("routing-key", f"a routing key of endpoint {self.name} is 1 to 255 visible ASCII characters")
        return Delivery(
            endpoint=self.name,
            operation=_PUBLISH + routing_key,
            key=key,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body, order="deterministic"),
            ordering_key=ordering_key,
            content_type=content_type,
        )


def routing_key_of(operation: str) -> str:
    """The routing key in ``publish <routing key>``, checked again."""
    found = operation.removeprefix(_PUBLISH)
    if not operation.startswith(_PUBLISH) or not _ROUTING_KEY.match(found):
        raise Bug("operation", "an AMQP delivery's operation is `publish <routing key>`: build it by its words")
    return found
