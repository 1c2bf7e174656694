"""The catalogue: every event has its own name, an owner, a key, a schema and words for people, and comes back from JSON as it was."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from msgspec import Struct

from isthmus.core import Catalogue, Event, Message
from isthmus.core.event import wrap
from isthmus.core.events import ALL, Identifier, PatientDischarged
from isthmus.core.events.values import Payer


def test_types_are_unique_and_name_what_happened() -> None:
    names = [(one.spec.type, one.spec.version) for one in ALL]
    assert len(set(names)) == len(names)
    assert [name for name, _ in names if not re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)?", name) or not name.endswith("ed")] == []
    Catalogue(ALL)


def test_every_declared_event_is_listed() -> None:
    def declared(cls: type[Event]) -> set[type[Event]]:
        return {one for sub in cls.__subclasses__() for one in {sub, *declared(sub)}}

    assert {one for one in declared(Event) if one.__module__.startswith("isthmus.core.events.")} == set(ALL)


@pytest.mark.parametrize("event", ALL, ids=lambda one: one.spec.type)
def test_each_has_an_owner_words_and_a_schema(event: type[Event]) -> None:
    assert event.spec.owner
    assert event.__doc__
    assert not event.__doc__.startswith(f"{event.__name__}("), "a docstring of its own"
    schema = msgspec.json.schema(event)
    assert schema["$defs"][event.__name__]["description"]


@pytest.mark.parametrize("event", ALL, ids=lambda one: one.spec.type)
def test_each_comes_back_from_json_as_it_was(event: type[Event]) -> None:
    one = example(event)
    message = Message(id="m", interface="i", source="s", body=b"", received_at=datetime(2026, 1, 1, tzinfo=UTC), correlation_id="c")
    envelope = wrap(one, message)
    assert envelope.key
    assert Catalogue(ALL).open(envelope) == one


def test_the_key_tells_authorities_apart() -> None:
    one = PatientDischarged(encounter=Identifier("1", "A"), patient=Identifier("9"))
    other = PatientDischarged(encounter=Identifier("1", "B"), patient=Identifier("9"))
    assert (one.key, other.key, one.ordering_key) == ("1@A", "1@B", "9")


def example(shape: Any) -> Any:
    """A value of any type that events use."""
    if isinstance(shape, type) and issubclass(shape, Struct):
        hints = get_type_hints(shape)
        return shape(**{field.name: example(hints[field.name]) for field in msgspec.structs.fields(shape)})
    simple: dict[Any, Any] = {
        str: "text", int: 1, bool: True, bytes: b"\x00\xffraw", Decimal: Decimal("1.10"), date: date(2026, 3, 1),
        datetime: datetime(2026, 3, 1, 8, tzinfo=UTC), NoneType: None,
    }  # fmt: skip
    if shape in simple:
        return simple[shape]
    origin, args = get_origin(shape), get_args(shape)
    if origin is tuple:
        return (example(args[0]),)
    first = args[0]
    return first if isinstance(first, str) else example(first)


def test_values_are_hashable_and_frozen() -> None:
    assert not dataclasses.is_dataclass(Payer)
    assert len({Payer("self-pay"), Payer("self-pay")}) == 1
    with pytest.raises(AttributeError):
        Identifier("1").value = "2"  # type: ignore[misc]
