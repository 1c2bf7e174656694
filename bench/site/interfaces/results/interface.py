"""ORU: reports with their observations; and the one subscription of this site, which hears of all that happened."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Delivery, Event, Interface, subscribe
from isthmus.core.events import (
    EncounterUpdated,
    Identifier,
    Observation,
    PatientAdmitted,
    PatientDischarged,
    PatientTransferred,
    ResultReported,
)
from isthmus.formats.hl7v2 import Contract, Hl7, Segment, rule

from ...reading import code_of, encounter_of, patient_of
from ...systems import CARE, portal

CONTRACT = Contract(
    "ORU^R01",
    version="2.5.1",
    required=("PID-3", "PV1-19", "OBR-3", "OBR-4"),
    rules=(
        rule("PID-3.1", usage="R", length=20),
        rule("OBR-25", codes="OISAPCRFMX", table="HL70123", severity="error"),
        rule("OBX", min=1),
        rule("OBX-2", usage="R", codes=("CE", "CWE", "DT", "ED", "FT", "NM", "SN", "ST", "TM", "TS", "TX"), table="HL70125"),
        rule("OBX-3", usage="R"),
        rule("OBX-5", type="OBX-2"),
        rule("OBX-11", usage="R", codes="CDFINOPRSUWX", table="HL70085", severity="error"),
    ),
)

results = Interface("lab.results", source="clinical", owner="laboratory", contract=CONTRACT, classification=CARE)


@results.translate("ORU^R01")
def reported(message: Hl7) -> Iterator[Event]:
    order = Identifier(message["OBR-3.1"], message["OBR-3.2"], "order")
    status = message["OBR-25"]
    yield ResultReported(
        report=order.value,
        version=message["MSH-10"],
        status="final" if status == "F" else "corrected" if status == "C" else "preliminary",
        patient=patient_of(message),
        encounter=encounter_of(message),
        filler_order=order,
        examination=code_of(message.segments("OBR")[0], 4),
        observations=tuple(observed(segment) for segment in message.segments("OBX")),
        at=message.time("OBR-22", None),
    )


def observed(segment: Segment) -> Observation:
    return Observation(
        code=code_of(segment, 3),
        type=segment["2"],
        values=(segment["5"],),
        unit=segment["6.1"],
        reference_range=segment["7"],
        flags=(segment["8"],) if segment["8"] else (),
        status=segment["11"],
    )


@subscribe(
    PatientAdmitted,
    PatientTransferred,
    PatientDischarged,
    EncounterUpdated,
    ResultReported,
    to=portal,
    owner="clinical-it",
    classification=CARE,
)
def show(event: Event) -> Iterator[Delivery]:
    """One delivery an event, in the order of its patient."""
    yield portal.post("/events", event, key=event.key)
