"""Events between cells: written at one, read at the other, byte for byte the same each time."""

from __future__ import annotations

import json

import pytest

from isthmus.core import Bug, Event, Invalid, canonical
from isthmus.core.events import ALL
from isthmus.formats.cloudevents import Exchange, draft, kind_of, numbered
from isthmus.formats.jsondoc import JsonDocument


@canonical("price.changed", version=2, owner="supply", key=("product",), ordered_by="product")
class PriceChanged(Event, frozen=True, kw_only=True):
    product: str
    cents: int


@canonical("price.removed", version=1, owner="supply", key=("product",), ordered_by="product")
class PriceRemoved(Event, frozen=True, kw_only=True):
    product: str


EXCHANGE = Exchange(PriceChanged, PriceRemoved)
PRICE = PriceChanged(product="P-1", cents=250)
WRITTEN = numbered(draft(PRICE, "north"), "00ff")


def test_what_is_written_is_read() -> None:
    assert EXCHANGE.contract.check(JsonDocument(WRITTEN)) == ()
    assert EXCHANGE.open(JsonDocument(WRITTEN)) == PRICE
    header = EXCHANGE.contract.format.header(WRITTEN)
    assert (header.kind, header.sender, header.control_id) == ("price.changed.v2", "north", "00ff")
    assert EXCHANGE.kinds == EXCHANGE.contract.kinds == ("price.changed.v2", "price.removed.v1")


def test_it_is_a_cloud_event() -> None:
    """CloudEvents 1.0, 3.1: the four required attributes; JSON format 3.1: data as a value."""
    document = json.loads(WRITTEN)
    assert {"id", "source", "specversion", "type"} <= document.keys()
    assert (document["specversion"], document["data"]) == ("1.0", {"product": "P-1", "cents": 250})


def test_each_occurrence_has_an_id_of_its_own_and_always_the_same_bytes() -> None:
    assert numbered(draft(PRICE, "north"), "00ff") == WRITTEN
    assert numbered(draft(PRICE, "north"), "00fe") != WRITTEN


def test_attributes_that_we_do_not_know_are_let_pass() -> None:
    more = json.dumps({**json.loads(WRITTEN), "traceparent": "x", "time": "2026-03-01T08:30:00Z"}).encode()
    assert EXCHANGE.contract.check(JsonDocument(more)) == ()
    assert EXCHANGE.open(JsonDocument(more)) == PRICE


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": ""}, "/id"),
        ({"id": None}, "/id"),
        ({"source": ""}, "/source"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"data": {"product": "P-1"}}, "/data/cents"),
        ({"data": {"product": "P-1", "cents": "2"}}, "/data/cents"),
        ({"type": "price.changed.v3"}, ""),
    ],
)
def test_what_breaks_the_agreement_is_told_by_its_place(change: dict[str, object], where: str) -> None:
    broken = json.dumps({**json.loads(WRITTEN), **change}).encode()
    (violation,) = EXCHANGE.contract.check(JsonDocument(broken))
    assert violation.where == where
    if (where.startswith(("/data", "")) and "data" in change) or "type" in change:
        with pytest.raises(Invalid):
            EXCHANGE.open(JsonDocument(broken))


def test_the_writer_must_say_where_and_number_only_drafts() -> None:
    with pytest.raises(Bug, match="cell"):
        draft(PRICE, "")
    with pytest.raises(Bug, match="draft"):
        numbered(b"[]", "1")


def test_every_canonical_event_can_be_exchanged() -> None:
    assert Exchange(*ALL).kinds == tuple(kind_of(one) for one in ALL)
