"""Event: what happened, in the hospital's own canonical words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import Struct

from isthmus.core.failure import Bug
from isthmus.core.ids import derive_id
from isthmus.core.message import Message


class EventSpec(Struct, frozen=True):
    """What the catalogue knows about one type of event."""

    type: str
    """``noun.verb-in-past-tense``: ``patient.discharged``."""
    version: int
    owner: str
    key: tuple[str, ...]
    """The fields whose values identify the event in the business, unique within one message's plan."""
    ordered_by: str
    """The field whose value is the ordering key; empty: no order is promised."""


class Event(Struct, frozen=True, kw_only=True):
    """Base of all canonical events: declare one with :func:`canonical`."""

    spec: ClassVar[EventSpec]

    @property
    def key(self) -> str:
        return "/".join(str(getattr(self, field)) for field in self.spec.key)

    @property
    def ordering_key(self) -> str:
        return str(getattr(self, self.spec.ordered_by)) if self.spec.ordered_by else ""


E = TypeVar("E", bound=Event)


def canonical(type: str, *, version: int, owner: str, key: tuple[str, ...], ordered_by: str = "") -> Callable[[type[E]], type[E]]:
    """Declare a class of events: its type, version, owner, business key and what orders it."""

    def declare(cls: Any) -> Any:
        fields = {field.name for field in msgspec.structs.fields(cls)}
        unknown = [name for name in (*key, *((ordered_by,) if ordered_by else ())) if name not in fields]
        if not key or unknown:
            raise Bug("event-key", f"{cls.__name__}: key and ordered_by must name fields of the event; unknown: {unknown or 'no key'}")
        cls.spec = EventSpec(type=type, version=version, owner=owner, key=key, ordered_by=ordered_by)
        return cls

    return declare


class Envelope(Struct, frozen=True, kw_only=True):
    """An event as the journal keeps it (EIP: Envelope Wrapper): who caused it, what it belongs to, and its encoded body."""

    id: str
    type: str
    version: int
    key: str
    ordering_key: str
    correlation_id: str
    causation_id: str
    """Id of the message (or event) that caused it."""
    body: bytes
    """The event as JSON."""
    seq: int = 0
    """Place in the journal; 0 until it is kept."""


_encode = msgspec.json.Encoder().encode


def wrap(event: Event, message: Message) -> Envelope:
    """The event in its envelope. The id derives from message, type and business key: the same on every replay."""
    spec, key = event.spec, event.key
    return Envelope(
        id=derive_id("event", message.id, spec.type, key),
        type=spec.type,
        version=spec.version,
        key=key,
        ordering_key=event.ordering_key,
        correlation_id=message.correlation_id,
        causation_id=message.id,
        body=_encode(event),
    )


class Catalogue:
    """The events a site knows, by type and version."""

    def __init__(self, events: Iterable[type[Event]]) -> None:
        self._decoders: dict[tuple[str, int], msgspec.json.Decoder[Event]] = {}
        self._events: dict[tuple[str, int], type[Event]] = {}
        for event in events:
            name = (event.spec.type, event.spec.version)
            if self._events.get(name, event) is not event:
                raise Bug("event-twice", f"{name[0]} version {name[1]} is declared by two classes")
            self._events[name] = event
            self._decoders[name] = msgspec.json.Decoder(event)

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._events.values())

    def open(self, envelope: Envelope) -> Event:
        """The event in the envelope; raises ``Bug`` where the site does not know its type and version."""
        decoder = self._decoders.get((envelope.type, envelope.version))
        if decoder is None:
            raise Bug("event-unknown", f"{envelope.type} version {envelope.version} is in no catalogue of this site: declare it again")
        return decoder.decode(envelope.body)
