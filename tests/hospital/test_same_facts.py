"""The same facts under new control ids mean the same records in the target; facts that differ mean others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.app.planning import DryRun

INTERFACES = Path(__file__).parents[2] / "hospital" / "interfaces"
FIXTURES = sorted(INTERFACES.glob("*/fixtures/*.hl7"))


def sent_again(body: str) -> str:
    """Another control id, sent a day later."""
    header, _, rest = body.partition("\n")
    fields = header.split("|")
    fields[9] = "RESENT-1"
    fields[6] = fields[6].replace("20260301", "20260302")
    return "|".join(fields) + "\n" + rest


def effects(run: DryRun, endpoint: str) -> list[tuple[str, bytes]]:
    return sorted((one.key, one.body) for one in run.plan.deliveries if one.endpoint == endpoint)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_sent_again_under_a_new_control_id(fixture: Path, plan: Callable[[str], DryRun]) -> None:
    body = fixture.read_text()
    for endpoint in ("odoo", "portal"):
        first, second = effects(plan(body), endpoint), effects(plan(sent_again(body)), endpoint)
        assert [key for key, _ in first] == [key for key, _ in second]
        if endpoint == "odoo":
            assert first == second


def fixture(name: str) -> str:
    return next(path for path in FIXTURES if path.stem == name).read_text()


def keys(run: DryRun, *, endpoint: str = "odoo") -> set[str]:
    return {one.key for one in run.plan.deliveries if one.endpoint == endpoint}


def test_a_cancelled_discharge_withdraws_the_very_task(plan: Callable[[str], DryRun]) -> None:
    assert keys(plan(fixture("discharge"))) == keys(plan(fixture("discharge-cancelled")))
    without_bed = re.sub(r"SURG\^204\^2\^NORTH", "", fixture("discharge-cancelled"))
    assert keys(plan(without_bed)) == keys(plan(fixture("discharge"))), "also where A13 does not repeat the bed"


def test_a_cancelled_transfer_withdraws_the_task_of_the_old_bed(plan: Callable[[str], DryRun]) -> None:
    assert keys(plan(fixture("transfer"))) == keys(plan(fixture("transfer-cancelled")))


def test_two_stays_never_share_a_task(plan: Callable[[str], DryRun]) -> None:
    other = fixture("discharge").replace("VIS-7701", "VIS-7702")
    assert not keys(plan(fixture("discharge"))) & keys(plan(other))


def test_an_appointment_keeps_its_entry_all_its_life(plan: Callable[[str], DryRun]) -> None:
    found = [keys(plan(fixture(name))) for name in ("booked", "rescheduled", "cancelled", "missed")]
    assert len(found[0]) == 1
    assert found.count(found[0]) == 4


def test_a_bill_follows_its_charges_and_not_their_order(plan: Callable[[str], DryRun]) -> None:
    lines = fixture("charges").splitlines()
    first, second = [place for place, line in enumerate(lines) if line.startswith("FT1")]
    swapped = list(lines)
    swapped[first], swapped[second] = lines[second].replace("FT1|2", "FT1|1", 1), lines[first].replace("FT1|1", "FT1|2", 1)
    assert keys(plan("\n".join(lines))) == keys(plan("\n".join(swapped)))


def test_a_credit_is_never_the_invoice_that_it_takes_back(plan: Callable[[str], DryRun]) -> None:
    charge = fixture("credit").replace("|CD|", "|CG|")
    (invoice,), (note,) = plan(charge).plan.deliveries, plan(fixture("credit")).plan.deliveries
    assert invoice.key != note.key
    assert (invoice.operation, note.operation) == ("invoice", "credit note")


def test_a_corrected_result_is_another_version_of_the_same_report(plan: Callable[[str], DryRun]) -> None:
    first, corrected = plan(fixture("final")).plan.events[0], plan(fixture("corrected")).plan.events[0]
    assert first.key.rpartition("/")[0] == corrected.key.rpartition("/")[0]
    assert first.key != corrected.key
    assert b'"status":"corrected"' in corrected.body


def test_an_order_and_its_cancellation_have_control_ids_of_their_own(plan: Callable[[str], DryRun]) -> None:
    order, cancelled = plan(fixture("order")), plan(fixture("order-cancelled"))
    assert not keys(order, endpoint="lab") & keys(cancelled, endpoint="lab")
    assert order.plan.deliveries[0].ordering_key == cancelled.plan.deliveries[0].ordering_key, "the cancellation leaves after the order"


def test_a_series_under_one_number_hides_nothing(plan: Callable[[str], DryRun]) -> None:
    """Two examinations of one message are two reports, not two versions of one."""
    head = "MSH|^~\\&|LIS|N|||20260301||ORU^R01|1|P|2.5.1\nPID|1||P1\n"
    run = plan(head + "OBR|1||F1|GLU\nOBX|1|NM|GLU||5\nOBR|2||F1|GLU\nOBX|1|NM|GLU||7\nOBR|3||F1|GLU\nOBX|1|NM|GLU||7")
    assert [one.key.rpartition("/")[0] for one in run.plan.events] == ["F1/GLU", "F1/GLU#2", "F1/GLU#3"]
    assert len(keys(run, endpoint="portal")) == 3
