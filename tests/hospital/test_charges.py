"""Money: what is billed is what was charged, whatever a sender leaves out, and nothing is left unbilled in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from isthmus.app.planning import DryRun

HEAD = "MSH|^~\\&|EHR|N|||20260301||DFT^P03|1|P|2.5.1\nPID|1||P1\nPV1|1|I|W|||||||||||||||||V1\n"


def ft1(
    *, set_id: str = "1", transaction: str = "T1", kind: str = "CG", code: str = "X", quantity: str = "", total: str = "", each: str = ""
) -> str:
    return f"FT1|{set_id}|{transaction}||20260301||{kind}|{code}|||{quantity}|{total}|{each}"


def documents(run: DryRun) -> list[dict[str, Any]]:
    return [msgspec.json.decode(one.body) for one in run.plan.deliveries]


@pytest.mark.parametrize(
    ("quantity", "total", "each", "billed"),
    [
        ("2", "100&USD", "50&USD", (2, 50)),
        ("2", "100", "", (2, 50)),
        ("2", "", "50", (2, 50)),
        ("", "100", "", (1, 100)),
        ("", "", "100", (1, 100)),
        ("3", "100", "", (1, 100)),  # no third of 100 in whole cents
        ("2", "100", "100", (2, 50)),  # they disagree: FT1-11 is the amount of the transaction
        ("8", "1.00", "0.125", (1, 1)),  # an eighth of a unit of money cannot be invoiced
        ("0.5", "", "80", (0.5, 80)),
        ("1", "0", "", (1, 0)),  # free is a price
        ("0", "30", "", (1, 30)),
        ("1", "1850.00", "1850.00", (1, 1850)),
    ],
)
def test_quantity_and_price(quantity: str, total: str, each: str, billed: tuple[float, float], plan: Callable[[str], DryRun]) -> None:
    (invoice,) = documents(plan(HEAD + ft1(quantity=quantity, total=total, each=each)))
    assert [(line["quantity"], line["price_unit"]) for line in invoice["lines"]] == [billed]


@pytest.mark.parametrize(
    ("kind", "quantity", "total", "made"),
    [
        ("CG", "1", "10", "out_invoice"),
        ("", "1", "10", "out_invoice"),
        ("CG", "-1", "-10", "out_refund"),
        ("CG", "1", "-10", "out_refund"),
        ("CD", "1", "10", "out_refund"),
        ("CR", "1", "-10", "out_refund"),
        ("AJ", "1", "-10", "out_refund"),
        ("AJ", "1", "10", "out_invoice"),
    ],
)
def test_what_is_an_invoice_and_what_a_credit_note(kind: str, quantity: str, total: str, made: str, plan: Callable[[str], DryRun]) -> None:
    (document,) = documents(plan(HEAD + ft1(kind=kind, quantity=quantity, total=total)))
    assert document["kind"] == made
    assert [(line["quantity"], line["price_unit"]) for line in document["lines"]] == [(1, 10)]


def test_charges_of_one_message_are_one_invoice_and_its_credits_one_note(plan: Callable[[str], DryRun]) -> None:
    lines = [
        ft1(set_id="1", transaction="T1", total="10"),
        ft1(set_id="2", transaction="T2", total="20"),
        ft1(set_id="3", transaction="T3", kind="CD", total="5"),
    ]
    made = documents(plan(HEAD + "\n".join(lines)))
    assert sorted((one["kind"], sum(line["price_unit"] for line in one["lines"])) for one in made) == [
        ("out_invoice", 30),
        ("out_refund", 5),
    ]


def test_amounts_in_two_currencies_are_two_invoices(plan: Callable[[str], DryRun]) -> None:
    run = plan(HEAD + ft1(transaction="T1", total="10&EUR") + "\n" + ft1(set_id="2", transaction="T2", total="10&USD"))
    assert [one.operation for one in run.plan.deliveries] == ["invoice", "invoice"]


def test_a_service_without_any_price_becomes_a_task_and_the_rest_is_billed(plan: Callable[[str], DryRun]) -> None:
    run = plan(HEAD + ft1(transaction="T1", code="NOBODY-KNOWS") + "\n" + ft1(set_id="2", transaction="T2", code="ECG"))
    assert sorted(one.operation for one in run.plan.deliveries) == ["invoice", "task"]
    (invoice,) = [one for one in documents(run) if one["type"] == "invoice"]
    assert [(line["name"], line["price_unit"]) for line in invoice["lines"]] == [("ECG", 62)], "by the tariff"


def test_equal_charges_without_a_transaction_id_are_two_charges(plan: Callable[[str], DryRun]) -> None:
    (invoice,) = documents(plan(HEAD + ft1(transaction="", total="10") + "\n" + ft1(set_id="2", transaction="", total="10")))
    assert len(invoice["lines"]) == 2


def test_the_same_transaction_written_twice_is_one_charge(plan: Callable[[str], DryRun]) -> None:
    (invoice,) = documents(plan(HEAD + ft1(total="10") + "\n" + ft1(set_id="2", total="10")))
    assert len(invoice["lines"]) == 1


def test_one_transaction_id_over_different_charges_loses_none(plan: Callable[[str], DryRun]) -> None:
    (invoice,) = documents(plan(HEAD + ft1(code="A", total="10") + "\n" + ft1(set_id="2", code="B", total="20")))
    assert sorted(line["name"] for line in invoice["lines"]) == ["A", "B"]


def test_a_transaction_id_that_only_counts_segments_does_not_tie_days_together(plan: Callable[[str], DryRun]) -> None:
    one = plan(HEAD + ft1(transaction="1", code="A", total="10"))
    other = plan(HEAD + ft1(transaction="1", code="B", total="10"))
    assert one.plan.deliveries[0].key != other.plan.deliveries[0].key


@pytest.mark.parametrize(
    ("segments", "payer"),
    [
        ("", "Self-paying patients"),
        ("IN1|1|SELFPAY", "Self-paying patients"),
        ("IN1|1|P|NORD^^^N|Whatever", "Nordland Health"),
        ("IN1|1|NORD", "Nordland Health"),
    ],
)
def test_who_pays(segments: str, payer: str, plan: Callable[[str], DryRun]) -> None:
    (invoice,) = documents(plan(HEAD + ft1(total="10") + "\n" + segments))
    assert invoice["payer"]["values"]["name"] == payer


def test_an_insurance_that_nobody_mapped_has_a_partner_of_its_own_without_its_name(plan: Callable[[str], DryRun]) -> None:
    found = [documents(plan(HEAD + ft1(total="10") + f"\nIN1|1|P|{code}|Jane Doe"))[0]["payer"] for code in ("QX", "QX", "QY", "")]
    assert found[0] == found[1]
    assert len({one["key"] for one in found}) == 3
    assert all("Doe" not in str(one) and "QX" not in str(one) for one in found)


@pytest.mark.parametrize(
    "wrong", [ft1(quantity="one"), ft1(total="10.0.0"), ft1(code=""), ft1(kind="ZZ"), ft1(quantity="0"), ft1(total="1" * 40)]
)
def test_money_that_cannot_be_understood_is_refused(wrong: str, plan: Callable[[str], DryRun]) -> None:
    run = plan(HEAD + ft1(transaction="T0", total="1") + "\n" + wrong.replace("FT1|1", "FT1|2", 1))
    assert run.verdict == "invalid"
    assert all(one.where.startswith("FT1[2]-") for one in run.plan.violations)
    assert run.plan.deliveries == ()


@pytest.mark.parametrize(
    "wrong",
    [
        ft1(quantity="0.00000000000000000000000000000000000001", total="999999999"),
        ft1(quantity="999999999", each="999999999"),
        ft1(total="0.0000000000001"),
    ],
)
def test_what_no_invoice_can_hold_is_refused_and_is_no_bug_of_ours(wrong: str, plan: Callable[[str], DryRun]) -> None:
    run = plan(HEAD + wrong)
    assert run.verdict == "invalid"
    assert [one.rule for one in run.plan.violations] == ["range"]


def test_a_code_that_is_a_sentence_stays_out_of_odoo(plan: Callable[[str], DryRun]) -> None:
    for price in ("10", ""):
        (made,) = plan(HEAD + ft1(code="KNEE OF MRS DOE", total=price)).plan.deliveries
        assert b"DOE" not in made.body
        assert b"To be mapped (" in made.body
