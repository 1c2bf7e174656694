"""What an interface may say to a stream of NATS JetStream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.event import Event
from isthmus.core.failure import Bug
from isthmus.formats.cloudevents import MEDIA_TYPE, draft

_LONGEST = 200
_SUBJECT = re.compile(rf"(?=.{{1,{_LONGEST}}}\Z)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")
_PUBLISH = "publish "


class Nats(Endpoint):
    """``Nats("other-cells", cell="north")``: what happened here, published to a stream. ``cell`` is the name of *this* cell.

    Subjects are seen by everybody who may look at the server: they must hold nothing of a patient.
    """

    kind = "nats"

    def __init__(self, name: str, *, cell: str = "", system: str = "", owner: str = "") -> None:
        super().__init__(name, system=system, owner=owner)
        self.cell = cell

    def publish(
        self,
        subject: str,
        body: Event | Struct | Mapping[str, Any] | bytes,
        *,
        key: str = "",
        ordering_key: str = "",
        content_type: str = "application/json",
    ) -> Delivery:
        """One message under this subject. A canonical event is written as a CloudEvent, for ``Exchange`` to read at the other side; it
        brings its key and its ordering key. Anything else needs a ``key``, and a number of its own in its body: a receiving journal
        recognises what comes twice by sender, number and content.
        """
        if not _SUBJECT.match(subject):
            raise Bug("subject", f"a subject of endpoint {self.name} is words of letters, digits, _ and - with dots between (≤ {_LONGEST})")
        if isinstance(body, Event):
            return Delivery(
                endpoint=self.name,
                operation=_PUBLISH + subject,
                key=key or f"{body.spec.type}/{body.key}",
                body=draft(body, self.cell),
                ordering_key=ordering_key or body.ordering_key,
                content_type=MEDIA_TYPE,
            )
        if content_type == MEDIA_TYPE:
            raise Bug("content-type", f"a CloudEvent to {self.name} is written from a canonical event: give the event itself")
        if not key:
            raise Bug("key", f"what is published to {self.name} and is no event needs a business key of its own: key=…")
        return Delivery(
            endpoint=self.name,
            operation=_PUBLISH + subject,
            key=key,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body, order="deterministic"),
            ordering_key=ordering_key,
            content_type=content_type,
        )


def subject_of(operation: str) -> str:
    """The subject in ``publish <subject>``, checked again: what comes from a journal never names a subject of the server's own."""
    found = operation.removeprefix(_PUBLISH)
    if not operation.startswith(_PUBLISH) or not _SUBJECT.match(found):
        raise Bug("operation", "a NATS delivery's operation is `publish <subject>`: build it by its words")
    return found
