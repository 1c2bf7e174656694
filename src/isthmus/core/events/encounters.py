"""Encounters: who came, where they lie, who left, and what of that was taken back (HL7 v2 chapter 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Identifier, Location, PatientClass

OWNER = "patient-access"


@canonical("patient.admitted", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class PatientAdmitted(Event, frozen=True, kw_only=True):
    """A patient was admitted or began a visit with a bed (A01)."""

    encounter: Identifier
    patient: Identifier
    patient_class: PatientClass = "unknown"
    location: Location | None = None
    at: datetime | None = None


@canonical("patient.registered", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class PatientRegistered(Event, frozen=True, kw_only=True):
    """A patient came without being admitted: outpatient, emergency (A04)."""

    encounter: Identifier
    patient: Identifier
    patient_class: PatientClass = "unknown"
    location: Location | None = None
    at: datetime | None = None


@canonical("patient.preadmitted", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class PatientPreadmitted(Event, frozen=True, kw_only=True):
    """A patient is expected and already has an encounter number (A05)."""

    encounter: Identifier
    patient: Identifier
    patient_class: PatientClass = "unknown"
    location: Location | None = None
    at: datetime | None = None


@canonical("patient.transferred", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class PatientTransferred(Event, frozen=True, kw_only=True):
    """A patient moved to another place; ``prior`` is free from then on (A02; A17 says it of two patients)."""

    encounter: Identifier
    patient: Identifier
    patient_class: PatientClass = "unknown"
    location: Location | None = None
    prior: Location | None = None
    swapped: bool = False
    """Two patients changed places (A17): neither bed becomes free."""
    at: datetime | None = None


@canonical("patient.discharged", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class PatientDischarged(Event, frozen=True, kw_only=True):
    """A patient left (A03); ``location`` is the place that became free."""

    encounter: Identifier
    patient: Identifier
    patient_class: PatientClass = "unknown"
    location: Location | None = None
    at: datetime | None = None


@canonical("admission.cancelled", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class AdmissionCancelled(Event, frozen=True, kw_only=True):
    """The admission, registration or pre-admission was a mistake or did not happen (A11, A38)."""

    encounter: Identifier
    patient: Identifier
    location: Location | None = None
    at: datetime | None = None


@canonical("transfer.cancelled", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class TransferCancelled(Event, frozen=True, kw_only=True):
    """The transfer did not happen: the patient is, and always was, in ``location`` (A12)."""

    encounter: Identifier
    patient: Identifier
    location: Location | None = None
    at: datetime | None = None


@canonical("discharge.cancelled", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class DischargeCancelled(Event, frozen=True, kw_only=True):
    """The discharge did not happen: the patient still lies in ``location`` (A13)."""

    encounter: Identifier
    patient: Identifier
    location: Location | None = None
    at: datetime | None = None


@canonical("encounter.planned", version=1, owner=OWNER, key=("encounter", "step"), ordered_by="patient")
class EncounterPlanned(Event, frozen=True, kw_only=True):
    """An admission, transfer or discharge is planned, or its plan withdrawn (A14, A15, A16; A25, A26, A27)."""

    encounter: Identifier
    patient: Identifier
    step: Literal["admission", "transfer", "discharge"]
    withdrawn: bool = False
    location: Location | None = None
    at: datetime | None = None


@canonical("encounter.updated", version=1, owner=OWNER, key=("encounter",), ordered_by="patient")
class EncounterUpdated(Event, frozen=True, kw_only=True):
    """Something about an encounter changed that is none of the above: class, doctor, leave, tracking, details (A06 to A10, A21 …)."""

    encounter: Identifier
    patient: Identifier
    change: str
    """What the sender calls it: the trigger event, ``A08``."""
    patient_class: PatientClass = "unknown"
    location: Location | None = None
    at: datetime | None = None


@canonical("bed.status-changed", version=1, owner="bed-management", key=("location",), ordered_by="location")
class BedStatusChanged(Event, frozen=True, kw_only=True):
    """A bed is now closed, housekeeping, occupied, unoccupied … (A20, NPU-2; HL7 table 0116)."""

    location: Location
    status: str
    at: datetime | None = None


EVENTS = (
    PatientAdmitted,
    PatientRegistered,
    PatientPreadmitted,
    PatientTransferred,
    PatientDischarged,
    AdmissionCancelled,
    TransferCancelled,
    DischargeCancelled,
    EncounterPlanned,
    EncounterUpdated,
    BedStatusChanged,
)
