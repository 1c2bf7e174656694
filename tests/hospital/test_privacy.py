"""No patient's name, number or diagnosis reaches Odoo: whatever a sender writes into the segments that describe a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.app.planning import DryRun

FIXTURES = sorted((Path(__file__).parents[2] / "hospital" / "interfaces").glob("*/fixtures/*.hl7"))
PLANTED = {"PID": 40, "PD1": 21, "NK1": 39, "PV1": 54, "PV2": 50, "DG1": 26, "IN1": 53, "IN2": 72, "GT1": 57, "AL1": 6, "PR1": 25, "NTE": 8}
"""Segments about a person, and how many fields each has."""
NEEDED = {("PV1", 2), ("PV1", 3), ("PV1", 6), ("PV1", 42)}
"""Class of patient and locations: Odoo is told which bed is to be cleaned."""
CLINICAL = {
    "FT1": (8, 9, 18, 19, 20, 21),
    "SCH": (6, 7, 8, 12, 13, 14, 15, 16, 17, 20),
    "AIS": (3,),
    "AIP": (3, 4),
    "RXE": (7, 8, 13, 21),
    "RXD": (9, 10),
}
"""Reasons, diagnoses, performers and free text in segments that are otherwise used."""
TOKEN = "SECRET"


def planted(body: str) -> str:
    """The message with a token in every field (and its first components) that says something of a person."""
    lines = []
    present = {line[:3] for line in body.splitlines()}
    for line in [*body.splitlines(), *(f"{name}|1" for name in PLANTED if name not in present and name not in ("PID", "PV1"))]:
        name = line[:3]
        fields = line.split("|")
        if name in PLANTED:
            fields += [""] * (PLANTED[name] + 1 - len(fields))
            for number in range(2, len(fields)):
                if (name, number) not in NEEDED:
                    fields[number] = "^".join(f"{TOKEN}-{name}-{number}-{part}" for part in range(1, 7))
        for number in CLINICAL.get(name, ()):
            fields += [""] * (number + 1 - len(fields))
            fields[number] = f"{TOKEN}-{name}-{number}^{TOKEN}-{name}-{number}-2"
        lines.append("|".join(fields))
    return "\n".join(lines)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_nothing_of_a_person_reaches_odoo(fixture: Path, plan: Callable[[str], DryRun]) -> None:
    body = fixture.read_text()
    before, after = plan(body), plan(planted(body))
    if before.verdict != "accepted":
        return
    assert after.verdict == "accepted"
    odoo = [one for one in after.plan.deliveries if one.endpoint == "odoo"]
    assert len(odoo) == sum(1 for one in before.plan.deliveries if one.endpoint == "odoo")
    for one in odoo:
        assert TOKEN.encode() not in one.body
        assert TOKEN not in f"{one.key} {one.operation} {one.ordering_key} {one.content_type}"


def test_the_planting_hurts(plan: Callable[[str], DryRun]) -> None:
    """What clinicians may see does hold the tokens, so that the test above would find them."""
    fixture = next(path for path in FIXTURES if path.stem == "final")
    portal = [one for one in plan(planted(fixture.read_text())).plan.deliveries if one.endpoint == "portal"]
    assert portal
    assert all(TOKEN.encode() in one.body for one in portal)


def test_paths_and_keys_of_other_endpoints_hold_no_identifier(plan: Callable[[str], DryRun]) -> None:
    """Operations and keys are shown in lists and logs."""
    for fixture in FIXTURES:
        for one in plan(planted(fixture.read_text())).plan.deliveries:
            assert TOKEN not in f"{one.key} {one.operation} {one.ordering_key}"


def test_a_drug_that_is_named_by_words_alone_stays_out_of_odoo(plan: Callable[[str], DryRun]) -> None:
    """A mixture made for one patient often bears the patient's name."""
    body = "MSH|^~\\&|PH|N|||20260301||RDS^O13|1|P|2.5.1\nPID|1||P1\nORC|RE|R1\nRXD|1|^Infusion for Jane Doe|20260301|1||||"
    (made,) = plan(body).plan.deliveries
    assert b"Doe" not in made.body
    assert b"To be mapped (" in made.body
