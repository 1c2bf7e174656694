"""Exchange: canonical events written for another cell, and read there, as CloudEvents 1.0 in the structured JSON mode.

    {"id": "<delivery id>", "specversion": "1.0", "type": "patient.discharged.v1", "source": "north", "data": {…the event…}}

The id is the delivery's, so each occurrence has one of its own and a message that comes twice is recognised by the receiving journal
even where its content was the same before: price 1, price 2, price 1 are three messages. It is put in when the delivery is sent, for
only then it is known; the same delivery always yields the same bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from isthmus.core.event import Event
from isthmus.core.failure import Bug, Invalid
from isthmus.formats.jsondoc import Contract, Json, JsonDocument

MEDIA_TYPE = "application/cloudevents+json"

_START = b"{"


class _Written(Struct, frozen=True):
    """What a cell writes, but for the id."""

    specversion: str
    type: str
    source: str
    data: Event


def kind_of(event: type[Event] | Event) -> str:
    """The type on the wire: the event's type with its version, so that a version nobody knows is refused and not misread."""
    return f"{event.spec.type}.v{event.spec.version}"


def draft(event: Event, cell: str) -> bytes:
    """The document without its id; ``cell`` says where the event happened."""
    if not cell:
        raise Bug("cell", "an event for another cell says where it happened: name this cell in the endpoint's words, cell=…")
    return msgspec.json.encode(_Written("1.0", kind_of(event), cell, event))


def numbered(document: bytes, id: str) -> bytes:
    """The document with its id; ids are hexadecimal digits and need no quoting."""
    if not document.startswith(_START):
        raise Bug("draft", "only a draft of this format takes an id")
    return b'{"id":"' + id.encode() + b'",' + document[1:]


class Exchange:
    """``Exchange(PatientDischarged, SupplyUsed)``: the events that an interface takes from other cells.

    ``contract`` and ``kinds`` are what the interface declares; ``open`` is what its translator yields.
    """

    def __init__(self, *events: type[Event]) -> None:
        self.kinds = tuple(kind_of(one) for one in events)
        self._decoders = {kind_of(one): msgspec.json.Decoder(_shape(one)) for one in events}
        self.contract = Contract(
            Json("event", kind_field="type", id_field="id", sender_field="source"), {kind_of(one): _shape(one) for one in events}
        )

    def open(self, document: JsonDocument) -> Event:
        """The event in the document; raises ``Invalid`` where there is none, which the contract has found before."""
        decoder = self._decoders.get(document.text("type"))
        if decoder is None:
            raise Invalid("type", f"send one of: {', '.join(self.kinds)}")
        try:
            event: Event = decoder.decode(document.body).data  # type: ignore[attr-defined] # the shape below has it
        except msgspec.MsgspecError:
            raise Invalid("shape", "the event's data is not what its type and version say: send it as the catalogue shows") from None
        return event


def _shape(event: type[Event]) -> type[Struct]:
    """What a document with this event must be. Attributes that we do not know are let pass, as CloudEvents 1.0 (3.2) asks."""
    filled = Annotated[str, Meta(min_length=1)]
    return msgspec.defstruct(
        event.__name__,
        [("specversion", Literal["1.0"]), ("id", filled), ("source", filled), ("type", filled), ("data", event)],
        frozen=True,
    )
