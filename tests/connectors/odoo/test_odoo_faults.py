"""Odoo that is down, slow, dying, refusing or lying: what becomes of deliveries, and that nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from connectors.odoo.bench import Bench, words
from connectors.odoo.conftest import before_practice

from isthmus.connectors.odoo import InvoiceLine, Move, ref
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Rejected, Transient
from isthmus.core.outcome import Delivered, Reject, Retry, Unknown

MARKER = "Zzyzx Quintessa"
"""In the place of a name; it must never come back in a text."""


def partner(bench: Bench, name: str = "partner") -> Delivery:
    return words.upsert("res.partner", bench.key(name), {"name": MARKER, "ref": bench.key(name)})


def invoice(bench: Bench, name: str = "invoice") -> Delivery:
    lines = [
        InvoiceLine(product=ref("product.product", bench.key("service"), name=MARKER, type="service"), name="S", quantity=1, price_unit=9)
    ]
    payer = ref("res.partner", bench.key("payer"), name=MARKER)
    return words.invoice(bench.key(name), payer=payer, reference=bench.key("ref"), date=date(2031, 6, 1), lines=lines)


def movement(bench: Bench, name: str = "movement") -> Delivery:
    product = ref("product.product", bench.key("item"), name=MARKER, type="consu", is_storable=True)
    return words.movement(bench.key(name), moves=[Move(product=product, quantity=2)], origin=bench.key("origin"))


def task(bench: Bench) -> Delivery:
    return words.task(bench.key("task"), project=ref("project.project", bench.key("project"), name="P"), name=MARKER, state="open")


def appointment(bench: Bench) -> Delivery:
    start = datetime(2031, 5, 5, 8, tzinfo=UTC)
    return words.appointment(bench.key("appointment"), name=MARKER, start=start, stop=start.replace(hour=9))


Make = Callable[[Bench], Delivery]
EVERY: tuple[Make, ...] = (partner, invoice, movement, task, appointment)


async def settled(bench: Bench, delivery: Delivery) -> Delivered:
    """As the courier does: unknown is checked, what is not there is sent again."""
    client = bench.client()
    for _ in range(10):
        outcome = await client.check(delivery, 10)
        if isinstance(outcome, Retry):
            (outcome,) = await bench.send(delivery, client=client)
        if isinstance(outcome, Delivered):
            return outcome
        assert isinstance(outcome, (Retry, Unknown)), outcome
    raise AssertionError("never delivered")


def effect_of(bench: Bench, make: Make) -> str:
    """What the call that has the effect of this word holds: its method, for records with their model."""
    if make in (invoice, movement):
        return "action_post" if make is invoice else "button_validate"
    model = {partner: "res.partner", task: "project.task", appointment: "calendar.event"}[make]
    if bench.endpoint.protocol == "json-2":
        return f"/{model}/load"
    return f"<string>{model}</string></value>\n</param>\n<param>\n<value><string>load</string>"


LOST = [("silent", partner), ("silent", invoice), ("silent", movement), *(("drops", make) for make in EVERY)]


@pytest.mark.parametrize(("wrong", "make"), LOST)
async def test_what_was_committed_without_an_answer_is_unknown_then_found_and_not_done_twice(bench: Bench, make: Make, wrong: str) -> None:
    delivery, documents = make(bench), make in (invoice, movement)
    bench.proxy.plan(wrong, effect_of(bench, make), then="drops" if documents else None)
    (outcome,) = await bench.send(delivery, timeout=20.0 if wrong == "drops" else 2.5 if bench.real else 0.5)
    assert bench.proxy.hits == (2 if documents else 1), "it hurt"
    assert isinstance(outcome, Unknown), outcome
    counts = await bench.counts()
    delivered = await settled(bench, delivery)
    again = await settled(bench, delivery)
    assert again.receipts[-1] == delivered.receipts[-1]
    await bench.deliver(delivery)
    assert await bench.counts() == counts, "found, not made again"


@pytest.mark.parametrize("make", [invoice, movement])
async def test_a_document_whose_answer_was_lost_is_found_at_once_where_odoo_can_still_be_asked(bench: Bench, make: Make) -> None:
    bench.proxy.plan("drops", effect_of(bench, make))
    await bench.deliver(make(bench))
    assert bench.proxy.hits == 1


@pytest.mark.parametrize("make", EVERY)
async def test_everything_sent_twice_by_two_clients_at_once_is_done_once(bench: Bench, make: Make) -> None:
    delivery = make(bench)

    async def insist() -> Delivered:
        client = bench.client()
        for _ in range(20):
            (outcome,) = await bench.send(delivery, client=client)
            if isinstance(outcome, Delivered):
                return outcome
            assert isinstance(outcome, (Retry, Unknown)), outcome
        raise AssertionError("never delivered")

    one, other = await asyncio.gather(insist(), insist())
    assert one.receipts[-1] == other.receipts[-1]
    counts = await bench.counts()
    await bench.deliver(delivery)
    assert await bench.counts() == counts


async def test_down_is_retried_and_nothing_was_done(bench: Bench) -> None:
    client = bench.client()
    await client.open()
    counts = await bench.counts()
    await bench.proxy.stop()
    outcomes = await bench.send(*(make(bench) for make in EVERY), client=client)
    assert {type(one) for one in outcomes} == {Retry}
    assert {one.code for one in outcomes if isinstance(one, Retry)} == {"unreachable"}
    assert isinstance(await client.check(partner(bench), 5), Unknown)
    with pytest.raises(Transient):
        await client.ping(5)
    await bench.proxy.start()
    assert await bench.counts() == counts
    await bench.deliver(*(make(bench) for make in EVERY), client=client)


async def test_a_client_opens_while_odoo_is_down_and_delivers_when_it_is_up(bench: Bench) -> None:
    client = bench.client()
    await bench.proxy.stop()
    with pytest.raises(Transient):
        await client.open()
    (outcome,) = await bench.send(partner(bench), client=client)
    assert isinstance(outcome, Retry)
    await bench.proxy.start()
    await bench.deliver(partner(bench), client=client)
    assert bench.endpoint.protocol.split("-")[0] in client.notice.lower(), "it says which protocol it chose"


async def test_a_wrong_key_kills_no_delivery_and_tells_the_cure(bench: Bench) -> None:
    client = bench.client(key="0123456789abcdef")
    outcomes = await bench.send(partner(bench), invoice(bench), client=client)
    for outcome in outcomes:
        assert isinstance(outcome, Retry), outcome
        assert outcome.code == "unauthorised"
    assert "key" in outcomes[0].detail
    with pytest.raises(Rejected, match="unauthorised"):
        await client.open()
    with pytest.raises(Rejected):
        await client.ping(10)


async def test_a_wrong_database_kills_no_delivery(bench: Bench) -> None:
    client = bench.client(database="run_nowhere")
    (outcome,) = await bench.send(partner(bench), client=client)
    assert isinstance(outcome, Retry), outcome
    assert outcome.code == "no-database"
    with pytest.raises(Rejected, match="database"):
        await client.open()


async def test_a_wrong_company_is_found_before_anything_is_sent(bench: Bench) -> None:
    for asked in (bench.client(company=4711).open(), bench.client(company=4711).ping(10)):
        with pytest.raises(Rejected, match="wrong-company"):
            await asked


async def test_a_missing_right_is_rejected_by_name(bench: Bench) -> None:
    counts = await bench.counts()
    client = bench.client(key=bench.low_key, user="low")
    outcomes = await bench.send(partner(bench), invoice(bench), movement(bench), client=client)
    assert [one.code for one in outcomes if isinstance(one, Reject)] == ["access-denied"] * 3
    assert await bench.counts() == counts


async def test_no_text_of_an_outcome_quotes_a_value(bench: Bench) -> None:
    outcomes = [
        *await bench.send(words.upsert("res.partner", bench.key("a"), {"name": MARKER, "type": MARKER})),
        *await bench.send(words.upsert("res.partner", bench.key("b"), {"name": MARKER, "supplier_rank": MARKER})),
        *await bench.send(words.upsert("project.task", bench.key("c"), {"name": MARKER, "date_deadline": MARKER})),
        *await bench.send(partner(bench), client=bench.client(key=bench.low_key, user="low")),
    ]
    assert [type(one) for one in outcomes] == [Reject] * 4
    assert "Zzyzx" not in repr(outcomes)


async def test_a_budget_is_held_around_every_call(bench: Bench) -> None:
    client = bench.client()
    inside = 0
    most = 0

    class Counting:
        def call(self, lane: str = "normal") -> Counting:
            return self

        async def __aenter__(self) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)

        async def __aexit__(self, *_: object) -> None:
            nonlocal inside
            inside -= 1

    client._budget = Counting()  # type: ignore[assignment]
    await bench.deliver(partner(bench), invoice(bench), client=client)
    assert (inside, most) == (0, 1)


# ---- what only the practice Odoo can be told to do --------------------------------------------------------------------------------


@pytest.fixture(params=["json-2", "xml-rpc"])
async def troubled(practice: PracticeOdoo, request: pytest.FixtureRequest) -> object:
    bench = await before_practice(practice, request.param)
    yield bench
    await bench.close()


async def test_a_lost_race_is_tried_again_within_the_send(troubled: Bench, practice: PracticeOdoo) -> None:
    practice.trouble.plan("serialization", method="load", times=2)
    practice.trouble.plan("serialization", method="action_post", times=1)
    await troubled.deliver(invoice(troubled))
    assert practice.trouble.hits == {"serialization": 3}


async def test_a_race_that_is_lost_for_ever_is_retried_by_policy(troubled: Bench, practice: PracticeOdoo) -> None:
    practice.trouble.plan("serialization", method="load", times=1000)
    (outcome,) = await troubled.send(partner(troubled))
    assert isinstance(outcome, Retry)
    assert outcome.code == "busy"


async def test_200_without_ids_is_no_success(troubled: Bench, practice: PracticeOdoo) -> None:
    practice.trouble.plan("lies", method="load")
    (outcome,) = await troubled.send(partner(troubled))
    assert isinstance(outcome, Retry)
    assert outcome.code == "no-effect"
    await troubled.deliver(partner(troubled))
    assert practice.count("res.partner", [["ref", "=", troubled.key("partner")]]) == 1


@pytest.mark.parametrize(("make", "method"), [(invoice, "action_post"), (movement, "button_validate")])
async def test_a_yes_without_effect_is_seen_by_reading_back(troubled: Bench, practice: PracticeOdoo, make: Make, method: str) -> None:
    practice.trouble.plan("lies", method=method)
    (outcome,) = await troubled.send(make(troubled))
    assert isinstance(outcome, Retry)
    assert outcome.code == "no-effect"
    await troubled.deliver(make(troubled))


async def test_a_lie_about_an_update_is_seen_too(troubled: Bench, practice: PracticeOdoo) -> None:
    client = troubled.client()
    await troubled.deliver(partner(troubled), client=client)
    practice.trouble.plan("lies", method="load")
    (outcome,) = await troubled.send(words.upsert("res.partner", troubled.key("partner"), {"name": "New"}), client=client)
    assert isinstance(outcome, Retry)
    assert outcome.code == "no-effect"


async def test_a_programming_error_of_odoo_is_for_good(troubled: Bench, practice: PracticeOdoo) -> None:
    practice.trouble.plan("breaks", method="load", times=1)
    (outcome,) = await troubled.send(partner(troubled))
    assert isinstance(outcome, Reject)
    assert outcome.code == "not-understood"
    assert "ValueError" in outcome.detail


async def test_the_company_the_zone_and_silence_are_said_in_every_call(troubled: Bench, practice: PracticeOdoo) -> None:
    await troubled.deliver(*(make(troubled) for make in EVERY), client=troubled.client(company=1))
    assert len(practice.calls) > 20
    for call in practice.calls:
        assert call.context["allowed_company_ids"] == [1], call
        assert (call.context["tz"], call.context["lang"]) == ("UTC", "en_US")
        if call.model == "calendar.event":
            assert call.context["no_mail_to_attendees"] is True


async def test_no_wizard_is_left_behind(troubled: Bench, practice: PracticeOdoo) -> None:
    await troubled.deliver(movement(troubled))
    (validate,) = [call for call in practice.calls if call.method == "button_validate"]
    assert validate.context["skip_backorder"] is True


async def test_a_slow_odoo_gets_smaller_batches(troubled: Bench, practice: PracticeOdoo) -> None:
    client = troubled.client()
    practice.trouble.seconds = 1.1
    practice.trouble.plan("slow", method="load", times=1)
    rows = [words.upsert("res.partner", troubled.key(f"slow-{number}"), {"name": "N"}) for number in range(16)]
    await troubled.deliver(*rows, client=client)
    before = len([call for call in practice.calls if call.method == "load"])
    await troubled.deliver(*(words.upsert("res.partner", troubled.key(f"next-{n}"), {"name": "N"}) for n in range(16)), client=client)
    assert len([call for call in practice.calls if call.method == "load"]) - before == 2, "two halves where there was one"
