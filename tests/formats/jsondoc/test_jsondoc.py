"""JSON documents: read whole or refused, every breach at once with its JSON pointer, and no value in any text."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from isthmus.core import Invalid
from isthmus.formats.jsondoc import Contract, Json


class Item(Struct):
    product: Annotated[str, Meta(min_length=1)]
    quantity: Decimal
    lot: str | None = None


class Use(Struct):
    use: Annotated[str, Meta(min_length=1)]
    at: Annotated[datetime, Meta(tz=True)]
    items: Annotated[tuple[Item, ...], Meta(min_length=1)]
    how: Literal["used", "wasted"] = "used"
    count: Annotated[int, Meta(gt=0)] = 1


class Strict(Struct, forbid_unknown_fields=True):
    name: str


FORMAT = Json("use", id_field="use", identifiers=(("use", "use"), ("case", "case")))
CONTRACT = Contract(FORMAT, {"use": Use, "strict": Strict})
GOOD = b'\xef\xbb\xbf{"use": "U1", "sender": "cabinet", "at": "2026-03-01T08:00:00Z", "items": [{"product": "A", "quantity": 1.10}]}'


def test_header_identifiers_and_exact_numbers() -> None:
    header = FORMAT.header(GOOD)
    assert (header.kind, header.sender, header.control_id) == ("use", "cabinet", "U1")
    document = FORMAT.open(GOOD)
    assert FORMAT.identifiers(document) == (("use", "U1"),)
    assert CONTRACT.check(document) == ()
    assert document.read(Use).items[0].quantity == Decimal("1.10")


def test_every_breach_at_once_with_pointer_rule_and_cure() -> None:
    body = {
        "use": "",
        "at": "2026-03-01T08:00:00",
        "items": [{"quantity": "x"}, {"product": "A", "quantity": 1}],
        "how": "eaten",
        "count": 0,
    }
    found = CONTRACT.check(FORMAT.open(msgspec.json.encode(body)))
    assert [(one.where, one.rule, one.cure) for one in found] == [
        ("/use", "type", "send text that is not empty"),
        ("/at", "type", "send a time with its zone, such as 2026-03-01T08:30:00+01:00"),
        ("/items/0/product", "required", "send text that is not empty"),
        ("/items/0/quantity", "type", "send a number"),
        ("/how", "type", "send one of used, wasted"),
        ("/count", "type", "send a whole number above 0"),
    ]


def test_a_list_that_is_too_short_is_told_as_a_whole() -> None:
    found = CONTRACT.check(FORMAT.open(b'{"use": "U", "at": "2026-03-01T08:00:00Z", "items": []}'))
    assert [(one.where, one.cure) for one in found] == [
        ("/items", "send a list with at least one entry, each an object with product, quantity")
    ]


def test_a_kind_that_the_contract_does_not_take() -> None:
    found = CONTRACT.check(FORMAT.open(b'{"kind": "other"}'))
    assert [(one.rule, one.cure) for one in found] == [("kind", "send one of: use, strict")]


def test_unknown_fields_are_refused_only_where_the_shape_says_so_and_not_repeated() -> None:
    found = CONTRACT.check(FORMAT.open(b'{"kind": "strict", "name": "n", "Jane Doe": 1}'))
    assert [one.rule for one in found] == ["unknown-field"]
    assert "Jane" not in repr(found)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[1]", b'"text"', b"\xff\xfe{}", b'{"a": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_object_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        FORMAT.header(body)
    assert caught.value.code == "unreadable"


def test_reading_a_shape_that_is_not_there_is_invalid() -> None:
    with pytest.raises(Invalid):
        FORMAT.open(b"{}").read(Use)


def test_the_answer_repeats_the_violations() -> None:
    violations = CONTRACT.check(FORMAT.open(b"{}"))
    answer = FORMAT.acknowledge(b"{}", "invalid", violations, reply_id="r1", at="20260301080000")
    assert answer is not None
    told = msgspec.json.decode(answer)
    assert told["status"] == "invalid"
    assert [one["where"] for one in told["violations"]] == ["/use", "/at", "/items"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(["use", "at", "items", "how", "count", "kind"]), JSON))
def test_any_object_is_accepted_or_told_what_is_wrong(value: dict[str, object]) -> None:
    document = FORMAT.open(msgspec.json.encode(value))
    violations = CONTRACT.check(document)
    if not violations and document.text("kind") != "strict":
        document.read(Use)
    assert all(one.cure and one.rule for one in violations)
