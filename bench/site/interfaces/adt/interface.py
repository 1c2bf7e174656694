"""ADT: who came, moved, left or changed, checked against a profile such as a hospital agrees on with its EHR."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Event, Interface
from isthmus.core.events import EncounterUpdated, PatientAdmitted, PatientDischarged, PatientTransferred
from isthmus.formats.hl7v2 import Contract, Hl7, rule

from ...reading import encounter_of, location_of, patient_of
from ...systems import CARE

CONTRACT = Contract(
    "ADT^A01",
    "ADT^A02",
    "ADT^A03",
    "ADT^A08",
    version="2.5.1",
    required=("EVN-2", "PID-3", "PID-5", "PV1-2", "PV1-19"),
    rules=(
        rule("PID-3.1", usage="R", length=20),
        rule("PID-7", type="TS"),
        rule("PID-8", codes="AFMNOU", table="HL70001", severity="error"),
        rule("PV1", min=1, max=1),
        rule("PV1-2", codes="BCEINOPRU", table="HL70004", severity="error"),
        rule("PV1-3", usage="R", only=("ADT^A01", "ADT^A02", "ADT^A03")),
        rule("PV1-6", usage="R", only=("ADT^A02",)),
        rule("PV1-44", type="TS"),
    ),
)

adt = Interface("ehr.adt", source="clinical", owner="patient-access", contract=CONTRACT, classification=CARE)


@adt.translate("ADT^A01")
def admitted(message: Hl7) -> Iterator[Event]:
    yield PatientAdmitted(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class="inpatient",
        location=location_of(message, "PV1-3"),
        at=message.time("PV1-44", None) or message.time("EVN-2", None),
    )


@adt.translate("ADT^A02")
def transferred(message: Hl7) -> Iterator[Event]:
    yield PatientTransferred(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class="inpatient",
        location=location_of(message, "PV1-3"),
        prior=location_of(message, "PV1-6"),
        at=message.time("EVN-2", None),
    )


@adt.translate("ADT^A03")
def discharged(message: Hl7) -> Iterator[Event]:
    yield PatientDischarged(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class="inpatient",
        location=location_of(message, "PV1-3"),
        at=message.time("EVN-2", None),
    )


@adt.translate("ADT^A08")
def updated(message: Hl7) -> Iterator[Event]:
    yield EncounterUpdated(
        encounter=encounter_of(message),
        patient=patient_of(message),
        change="A08",
        patient_class="inpatient",
        location=location_of(message, "PV1-3"),
        at=message.time("EVN-2", None),
    )
