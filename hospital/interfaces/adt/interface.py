"""ADT: what the EHR says of admissions, transfers, discharges and persons. See README.md for the fields and the reasons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from isthmus.connectors.odoo import ref
from isthmus.core import Classification, Delivery, Event, Interface, derive_id, pseudonym, subscribe
from isthmus.core.events import (
    AccountMerged,
    AdmissionCancelled,
    DischargeCancelled,
    EncounterMerged,
    IdentifierChanged,
    Location,
    PatientAdmitted,
    PatientDischarged,
    PatientMerged,
    PatientPreadmitted,
    PatientRegistered,
    PatientTransferred,
    RecordMoved,
    TransferCancelled,
)
from isthmus.formats.hl7v2 import Hl7

from ...moments import moment_of
from ...patient import encounter_of, patient_of
from ...places import location_at, patient_class_of
from ...systems import odoo, portal
from . import merges, others
from .profile import CONTRACT

adt = Interface(
    "ehr.adt",
    source="clinical",
    owner="patient-access",
    contract=CONTRACT,
    classification=Classification(
        criticality="care",
        latency="seconds",
        volume="20k/day",
        failure="wards, bed management and every other system lose track of who lies where",
        recovery="replay",
        ordered_by="patient",
    ),
    runbook="interfaces/adt/README.md",
)


@adt.translate("ADT^A01")
def admitted(message: Hl7) -> Iterator[Event]:
    yield PatientAdmitted(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class=patient_class_of(message),
        location=location_at(message, "PV1-3"),
        at=moment_of(message, "PV1-44", "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A04")
def registered(message: Hl7) -> Iterator[Event]:
    yield PatientRegistered(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class=patient_class_of(message),
        location=location_at(message, "PV1-3"),
        at=moment_of(message, "PV1-44", "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A05")
def preadmitted(message: Hl7) -> Iterator[Event]:
    yield PatientPreadmitted(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class=patient_class_of(message),
        location=location_at(message, "PV1-3"),
        at=moment_of(message, "PV1-44", "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A02")
def transferred(message: Hl7) -> Iterator[Event]:
    yield PatientTransferred(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class=patient_class_of(message),
        location=location_at(message, "PV1-3"),
        prior=location_at(message, "PV1-6"),
        at=moment_of(message, "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A03")
def discharged(message: Hl7) -> Iterator[Event]:
    yield PatientDischarged(
        encounter=encounter_of(message),
        patient=patient_of(message),
        patient_class=patient_class_of(message),
        location=location_at(message, "PV1-3") or location_at(message, "PV1-6"),
        at=moment_of(message, "PV1-45", "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A11", "ADT^A38")
def admission_cancelled(message: Hl7) -> Iterator[Event]:
    yield AdmissionCancelled(
        encounter=encounter_of(message),
        patient=patient_of(message),
        location=location_at(message, "PV1-3"),
        at=moment_of(message, "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A12")
def transfer_cancelled(message: Hl7) -> Iterator[Event]:
    yield TransferCancelled(
        encounter=encounter_of(message),
        patient=patient_of(message),
        location=location_at(message, "PV1-3"),
        at=moment_of(message, "EVN-6", "EVN-2"),
    )


@adt.translate("ADT^A13")
def discharge_cancelled(message: Hl7) -> Iterator[Event]:
    yield DischargeCancelled(
        encounter=encounter_of(message),
        patient=patient_of(message),
        location=location_at(message, "PV1-3"),
        at=moment_of(message, "EVN-6", "EVN-2"),
    )


adt.translate(*merges.KINDS)(merges.translate)
adt.translate("ADT^*")(others.translate)


# ---- a bed that becomes free is cleaned; Odoo learns the bed, not whose it was -----------------------------------------------------

HOUSEKEEPING = Classification(
    criticality="operations",
    latency="minutes",
    volume="3k/day",
    failure="beds stay dirty, admissions wait",
    recovery="replay",
    ordered_by="bed",
)
CLEANING = ref("project.project", "project-bed-cleaning", name="Bed cleaning")


@subscribe(PatientDischarged, PatientTransferred, to=odoo, owner="housekeeping", classification=HOUSEKEEPING)
async def clean_bed(event: PatientDischarged | PatientTransferred) -> AsyncIterator[Delivery]:
    """A service task for the bed that became free. A second discharge from the same stay opens the same task again."""
    bed = _freed(event)
    if bed is None:
        return
    since = f" since {event.at:%Y-%m-%d %H:%M} (UTC{event.at:%z})" if event.at is not None else ""
    yield odoo.task(
        await _cleaning_of(event, bed),
        project=CLEANING,
        name=f"Clean bed {bed}",
        description=f"{bed} is free{since}.",
        state="open",
    )


@subscribe(DischargeCancelled, TransferCancelled, to=odoo, owner="housekeeping", classification=HOUSEKEEPING)
async def cancel_cleaning(event: DischargeCancelled | TransferCancelled) -> AsyncIterator[Delivery]:
    """The patient still lies there: nothing is to be cleaned."""
    if isinstance(event, DischargeCancelled) or event.location is not None:
        yield odoo.withdraw("project.task", await _cleaning_of(event, event.location))


def _freed(event: PatientDischarged | PatientTransferred) -> Location | None:
    """The bed to be cleaned: none after a swap of beds, after a move within one bed, or where nobody had a bed at all."""
    if isinstance(event, PatientTransferred):
        bed = None if event.swapped or event.prior == event.location else event.prior
    else:
        bed = event.location
    if bed is None or not (bed.bed or bed.room or event.patient_class in ("inpatient", "unknown")):
        return None
    return bed


async def _cleaning_of(event: PatientDischarged | PatientTransferred | DischargeCancelled | TransferCancelled, bed: Location | None) -> str:
    """The task's key: one for the discharge from a stay, one for each bed that a stay moved out of."""
    stay = await pseudonym("encounter", str(event.encounter))
    if isinstance(event, (PatientDischarged, DischargeCancelled)):
        return f"clean-{stay}-discharge"
    return f"clean-{stay}-{bed.ward}.{bed.room}.{bed.bed}" if bed is not None else f"clean-{stay}"


# ---- merged records are merged in the portal too ------------------------------------------------------------------------------------

RECORDS = Classification(
    criticality="care",
    latency="seconds",
    volume="100/day",
    failure="results of one person stay under two records",
    recovery="replay",
    ordered_by="patient",
)


@subscribe(
    PatientMerged, AccountMerged, EncounterMerged, RecordMoved, IdentifierChanged, to=portal, owner="health-records", classification=RECORDS
)
def tell_merge(event: Event) -> Iterator[Delivery]:
    yield portal.post(
        "/identity-changes",
        {"type": event.spec.type, "change": event},
        key=merges.key_of(event),
        ordering_key=derive_id("patient", event.ordering_key),
    )
