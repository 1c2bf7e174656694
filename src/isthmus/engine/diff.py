"""Diff: what a reprocess would change, shown before anything is changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.journals.port import DeliveryState, MessageState, Planned, Translated

Change = Literal["added", "removed", "changed"]


class FieldChange(Struct, frozen=True):
    """One difference; ``where`` is a JSON pointer, empty for the whole. None: not there."""

    where: str
    old: Any
    new: Any


class EventChange(Struct, frozen=True, kw_only=True):
    change: Change
    id: str
    type: str
    fields: tuple[FieldChange, ...] = ()


class DeliveryChange(Struct, frozen=True, kw_only=True):
    change: Change
    subscription: str
    endpoint: str
    operation: str
    key: str
    state: DeliveryState | Literal[""] = ""
    """What has become of the old one; empty for an added one."""
    fields: tuple[FieldChange, ...] = ()


class Diff(Struct, frozen=True, kw_only=True):
    """The difference that today's code makes to one message. Holds values of the message: only for people who may see them."""

    message_id: str
    old_state: MessageState
    new_state: MessageState
    reason: str = ""
    detail: str = ""
    violations: tuple[Violation, ...] = ()
    events: tuple[EventChange, ...] = ()
    deliveries: tuple[DeliveryChange, ...] = ()
    asked_anew: int = 0
    """Questions that had no recorded answer and were answered by the world of today: it may differ from the world of then."""
    digest: str
    """Of what stood in the journal when the preview was made; ``apply`` refuses when it has changed since."""
    result: Translated
    planned: Mapping[str, Sequence[Planned]]
    """What ``apply`` will keep: exactly what was shown."""

    @property
    def empty(self) -> bool:
        return self.old_state == self.new_state and not self.events and not self.deliveries


class Standing(Struct, frozen=True):
    """A delivery of the journal that counts: neither superseded nor replaced."""

    delivery: Delivery
    state: DeliveryState


def event_changes(old: Sequence[Envelope], new: Sequence[Envelope]) -> Iterator[EventChange]:
    before, after = {one.id: one for one in old}, {one.id: one for one in new}
    for one in new:
        if one.id not in before:
            yield EventChange(change="added", id=one.id, type=one.type, fields=tuple(_fields("", None, _json(one.body))))
        elif fields := tuple(_fields("", _json(before[one.id].body), _json(one.body))):
            yield EventChange(change="changed", id=one.id, type=one.type, fields=fields)
    for one in old:
        if one.id not in after:
            yield EventChange(change="removed", id=one.id, type=one.type)


def delivery_changes(old: Sequence[Standing], new: Sequence[Delivery]) -> Iterator[DeliveryChange]:
    """Compared by endpoint, subscription and business key: an id may be that of an earlier reprocess."""
    before = {(one.delivery.subscription, one.delivery.endpoint, one.delivery.key): one for one in old}
    after = {(one.subscription, one.endpoint, one.key) for one in new}
    for one in new:
        standing = before.get((one.subscription, one.endpoint, one.key))
        if standing is None:
            yield _change("added", one, "", tuple(_fields("", None, _json(one.body))))
        elif fields := tuple(_differences(standing.delivery, one)):
            yield _change("changed", one, standing.state, fields)
    for key, standing in before.items():
        if key not in after:
            yield _change("removed", standing.delivery, standing.state, ())


def _change(change: Change, one: Delivery, state: DeliveryState | Literal[""], fields: tuple[FieldChange, ...]) -> DeliveryChange:
    return DeliveryChange(
        change=change,
        subscription=one.subscription,
        endpoint=one.endpoint,
        operation=one.operation,
        key=one.key,
        state=state,
        fields=fields,
    )


def _differences(old: Delivery, new: Delivery) -> Iterator[FieldChange]:
    for name in ("operation", "content_type"):
        if getattr(old, name) != getattr(new, name):
            yield FieldChange(name, getattr(old, name), getattr(new, name))
    if old.body != new.body:
        changes = tuple(_fields("", _json(old.body), _json(new.body)))
        yield from changes or (FieldChange("", "other bytes", "the same document"),)


def _json(body: bytes) -> Any:
    """The document, or the text where it is none (HL7 v2)."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")


def _fields(where: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in (*old, *(name for name in new if name not in old)):
            yield from _fields(f"{where}/{_escaped(name)}", old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _fields(f"{where}/{index}", old[index] if index < len(old) else None, new[index] if index < len(new) else None)
    elif old != new:
        yield FieldChange(where, old, new)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")  # RFC 6901
