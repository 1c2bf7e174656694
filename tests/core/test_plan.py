"""One function from a message to what shall be sent: the same ids every time, unique keys, and blame where it belongs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from isthmus.core import (
    Bug,
    Classification,
    Delivery,
    Endpoint,
    Event,
    Header,
    Interface,
    Invalid,
    Lookup,
    Message,
    Site,
    Verdict,
    Violation,
    canonical,
    plan,
    subscribe,
)

CLASS = Classification(criticality="revenue", latency="minutes")


@canonical("thing.counted", version=1, owner="test", key=("name",), ordered_by="name")
class Counted(Event, frozen=True, kw_only=True):
    name: str
    count: int


class Words:
    """The smallest format: ``kind a=1 b=2``."""

    name = "words"

    def header(self, body: bytes) -> Header:
        return Header(kind=body.split()[0].decode(), sender="test", control_id="1")

    def open(self, body: bytes) -> dict[str, str]:
        try:
            return dict(pair.split("=") for pair in body.decode().split()[1:])
        except ValueError:
            raise Invalid("unreadable", "write name=number") from None

    def identifiers(self, document: dict[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(("name", name) for name in document)

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        return verdict.encode()


class Counts:
    format = Words()
    kinds = ("count",)

    def check(self, document: dict[str, str]) -> tuple[Violation, ...]:
        return tuple(Violation(name, "type", "write a number") for name, value in document.items() if not value.isdigit())


def message(body: bytes) -> Message:
    return Message(
        id="m1",
        interface="counts",
        source="here",
        body=body,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        correlation_id="c1",
        kind="count",
    )


def site(*, repeat: bool = False) -> tuple[Site, Interface[dict[str, str]]]:
    odoo = Endpoint("odoo")
    interface = Interface("counts", source="here", owner="desk", contract=Counts(), classification=CLASS)

    @interface.translate("count")
    def count(document: dict[str, str]) -> Iterator[Event]:
        for name, value in document.items():
            yield Counted(name="same" if repeat else name, count=int(value))

    @subscribe(Counted, to=odoo, owner="desk", classification=CLASS)
    async def stock_of(event: Counted) -> AsyncIterator[Delivery]:
        price = await Lookup(endpoint="odoo", name="price", answer=int, args=(event.name,))
        yield Delivery(endpoint="odoo", operation="put", key=event.name, body=str(price * event.count).encode())

    return Site("test", interfaces=[interface], subscriptions=[stock_of]), interface


def test_a_message_becomes_events_and_deliveries() -> None:
    whole, interface = site()
    planned = plan(whole, interface, message(b"count a=2 b=3"), lambda _: 10)
    assert [(one.type, one.key, one.correlation_id, one.causation_id) for one in planned.events] == [
        ("thing.counted", "a", "c1", "m1"),
        ("thing.counted", "b", "c1", "m1"),
    ]
    assert [(one.body, one.ordering_key, one.causation_id) for one in planned.deliveries] == [
        (b"20", "a", planned.events[0].id),
        (b"30", "b", planned.events[1].id),
    ]
    assert len(planned.answers) == 2


def test_ids_do_not_depend_on_position() -> None:
    whole, interface = site()
    both = plan(whole, interface, message(b"count a=2 b=3"), lambda _: 10).deliveries
    turned = plan(whole, interface, message(b"count b=3 a=2"), lambda _: 10).deliveries
    assert {one.key: one.id for one in both} == {one.key: one.id for one in turned}


def test_a_message_that_breaks_its_contract_means_nothing() -> None:
    whole, interface = site()
    planned = plan(whole, interface, message(b"count a=many"), lambda _: 10)
    assert planned.violations == (Violation("a", "type", "write a number"),)
    assert not planned.events
    assert not planned.deliveries


def test_one_business_key_twice_is_our_bug() -> None:
    whole, interface = site(repeat=True)
    with pytest.raises(Bug, match="same business key"):
        plan(whole, interface, message(b"count a=2 b=3"), lambda _: 10)


def test_whatever_interface_code_raises_is_a_bug_that_quotes_nothing() -> None:
    whole, interface = site()

    @interface.translate("broken")
    def broken(document: dict[str, str]) -> Iterator[Event]:
        raise KeyError(document["secret"])

    with pytest.raises(Bug) as caught:
        plan(whole, interface, msgspec.structs.replace(message(b"count secret=1"), kind="broken"), lambda _: 10)
    assert "interface counts raised KeyError in broken:" in str(caught.value)
    assert "'1'" not in str(caught.value)


def test_a_translator_that_returns_instead_of_yielding_is_told_so() -> None:
    whole, interface = site()
    interface.translators["returned"] = lambda _: Counted(name="a", count=1)  # type: ignore[assignment,return-value]
    with pytest.raises(Bug, match="a translator yields events; this one returns Counted"):
        plan(whole, interface, msgspec.structs.replace(message(b"count a=1"), kind="returned"), lambda _: 10)


def test_a_subscription_sends_to_its_own_endpoint_only() -> None:
    @subscribe(Counted, to=Endpoint("odoo"), owner="desk", classification=CLASS)
    def astray(event: Counted) -> Iterator[Delivery]:
        yield Delivery(endpoint="lab", operation="put", key=event.name, body=b"")

    _, interface = site()
    with pytest.raises(Bug, match="make two subscriptions"):
        plan(Site("test", interfaces=[interface], subscriptions=[astray]), interface, message(b"count a=1"), lambda _: 10)


def test_an_event_must_name_its_key() -> None:
    with pytest.raises(Bug, match="must name fields"):

        @canonical("thing.lost", version=1, owner="test", key=("nowhere",))
        class Lost(Event, frozen=True, kw_only=True):
            name: str


def test_a_site_tells_everything_that_is_wrong_with_it_at_once() -> None:
    nonsense = Classification(criticality="care", latency="batch", volume="lots")
    one = Interface("adt", source="here", owner="", contract=Counts(), classification=nonsense)
    two = Interface("adt", source="here", owner="desk", contract=Counts(), classification=CLASS)
    two.translate("other")(lambda _: iter(()))
    told = {(finding.where, finding.problem) for finding in Site("test", interfaces=[one, two]).findings()}
    assert told == {
        ("interface adt", "declared twice"),
        ("source here", "two interfaces take count"),
        ("interface adt", "has no owner"),
        ("interface adt", "volume"),
        ("interface adt", "its classification contradicts itself"),
        ("interface adt", "takes count but has no translator for it"),
        ("interface adt", "translates other, which its contract does not take"),
    }
    assert all(finding.cure for finding in Site("test", interfaces=[one, two]).findings())
