"""Words, values and settings: pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from connectors.odoo.bench import words
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.odoo import By, InvoiceLine, Line, Move, OdooEndpoint, Ref, Xml, ref
from isthmus.connectors.odoo.operations import Appointment, Invoice, Task, Upsert, decode, links
from isthmus.connectors.odoo.values import external_id
from isthmus.core.failure import Bug

NOON = datetime(2031, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
A = ref("res.partner", "a", name="A")


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_keys_have_different_external_ids_that_odoo_can_take(one: str, other: str) -> None:
    try:
        first, second = external_id(one), external_id(other)
    except UnicodeEncodeError:
        return
    assert (first == second) == (one == other)
    for name in (first, second):
        assert name.startswith("isthmus_ext.")
        assert len(name) <= 128
        assert not set(name) & set(", /'\"%\n")


def test_a_key_is_needed() -> None:
    with pytest.raises(Bug, match="empty-key"):
        words.upsert("res.partner", "", {"name": "x"})


def test_a_delivery_is_the_same_bytes_each_time_and_ordered_by_its_record() -> None:
    one, other = (words.upsert("res.partner", "s-1", {"name": "x", "parent_id": A}) for _ in range(2))
    assert one == other
    assert (one.key, one.ordering_key, one.operation) == ("s-1", "res.partner/s-1", "upsert res.partner")
    assert words.upsert("res.partner", "s-1", {}, ordering_key="supplier").ordering_key == "supplier"


def test_values_travel_as_odoo_writes_them() -> None:
    values = {
        "at": NOON,
        "on": date(2031, 7, 1),
        "price": Decimal("4.50"),
        "none": None,
        "tags": [By("m", "f", "v")],
        "lines": [Line(key="l", values={})],
    }
    body = decode(words.upsert("res.partner", "k", values).body)
    assert isinstance(body, Upsert)
    assert body.values["at"] == "2031-07-01 10:00:00"
    assert (body.values["on"], body.values["price"], body.values["none"]) == ("2031-07-01", 4.5, None)
    assert (body.values["tags"], body.values["lines"]) == ((By("m", "f", "v"),), (Line(key="l", values={}),))


@pytest.mark.parametrize("value", [datetime(2031, 1, 1), object(), [1, 2], {"a": 1}, b"bytes"])  # noqa: DTZ001 - a naive time is the point
def test_what_cannot_be_meant_is_refused(value: object) -> None:
    with pytest.raises(Bug, match="field when"):
        words.upsert("res.partner", "k", {"when": value})


def test_links_come_before_what_needs_them() -> None:
    child = ref("res.partner", "child", name="C", parent_id=A, country_id=Xml("base.de"))
    line = Line(key="l", values={"product_id": By("product.product", "default_code", "G")})
    found = links(decode(words.upsert("res.partner", "k", {"parent_id": child, "child_ids": [line]}).body))
    assert [type(one) for one in found] == [Ref, Xml, Ref, By]
    assert [one.key for one in found if isinstance(one, Ref)] == ["a", "child"]


def test_documents_name_what_they_need() -> None:
    line = InvoiceLine(product=ref("product.product", "p", name="P"), name="x", quantity=1, price_unit=2)
    invoice = words.invoice("i", payer=A, reference="R", date=date(2031, 1, 1), lines=[line])
    assert [one.key for one in links(decode(invoice.body)) if isinstance(one, Ref)] == ["a", "p"]
    movement = words.movement(
        "m", moves=[Move(product=By("product.product", "default_code", "G"), quantity=1)], source=Xml("stock.stock_location_stock")
    )
    assert [type(one) for one in links(decode(movement.body))] == [Xml, By]
    assert links(decode(words.withdraw("account.move", "i").body)) == ()


def test_nonsense_is_a_bug_of_the_interface() -> None:
    for call in (
        lambda: words.invoice("i", payer=A, reference="R", date=date(2031, 1, 1), lines=[]),
        lambda: words.invoice("i", payer=A, reference="R", date=NOON, lines=[InvoiceLine(product=A, name="x", quantity=1, price_unit=1)]),
        lambda: words.movement("m", moves=[]),
        lambda: words.movement("m", moves=[Move(product=A, quantity=-1)]),
        lambda: words.appointment("a", name="x", start=NOON, stop=NOON - timedelta(minutes=1)),
        lambda: decode(b'{"type":"drop table"}'),
    ):
        with pytest.raises(Bug):
            call()


def test_an_appointment_is_private_and_in_utc() -> None:
    body = decode(words.appointment("a", name="Slot", start=NOON, stop=NOON, partners=[A]).body)
    assert isinstance(body, Appointment)
    assert (body.values["privacy"], body.values["start"], body.values["partner_ids"]) == ("private", "2031-07-01 10:00:00", (A,))


def test_a_task_escapes_what_messages_say() -> None:
    body = decode(words.task("t", project=A, name="x", description="<b>&", deadline=NOON.astimezone(UTC)).body)
    assert isinstance(body, Task)
    assert body.values["description"] == "<p>&lt;b&gt;&amp;</p>"
    assert body.state is None


def test_an_invoice_reads_back_as_it_was_said() -> None:
    line = InvoiceLine(product=A, name="x", quantity=2, price_unit=3.5, taxed=True)
    delivery = words.invoice("i", payer=A, reference="R", date=date(2031, 1, 1), lines=[line], kind="out_refund")
    expected = Invoice(key="i", payer=A, reference="R", date="2031-01-01", lines=(line,), kind="out_refund")
    assert decode(delivery.body) == expected
    assert delivery.operation == "credit note"


# ---- settings ------------------------------------------------------------------------------------------------------------------


def endpoint(**more: object) -> OdooEndpoint:
    return msgspec.convert({"url": "https://erp.example.org", "database": "d", "key": "k", **more}, OdooEndpoint)


def test_the_pace_follows_the_host() -> None:
    own, hosted = endpoint(), endpoint(url="https://clinic.odoo.com/")
    assert (own.calls_per_second, own.in_flight) == (20.0, 4)
    assert (hosted.calls_per_second, hosted.in_flight, hosted.url) == (1.0, 1, "https://clinic.odoo.com")
    assert endpoint(url="https://clinic.odoo.com", calls_per_second=5, in_flight=2).calls_per_second == 5.0
    assert endpoint(url="https://notodoo.com").in_flight == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "erp"},
        {"url": "ftp://erp"},
        {"url": "https://erp/odoo"},
        {"url": "https://u:p@erp"},
        {"protocol": "xml-rpc"},
        {"batch": 0},
        {"nonsense": 1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        endpoint(**wrong)
