"""Identity: persons made known, changed and removed; records merged, moved, renumbered and linked (HL7 v2 chapter 3.6).

No event carries a name, a birth date or an address: whoever needs them asks the system of record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Identifier

OWNER = "health-records"


@canonical("person.registered", version=1, owner=OWNER, key=("patient",), ordered_by="patient")
class PersonRegistered(Event, frozen=True, kw_only=True):
    """A person became known, with or without an encounter (A28)."""

    patient: Identifier
    at: datetime | None = None


@canonical("person.updated", version=1, owner=OWNER, key=("patient",), ordered_by="patient")
class PersonUpdated(Event, frozen=True, kw_only=True):
    """A person's record changed outside an encounter (A31; A08 and the like without an encounter; A60)."""

    patient: Identifier
    change: str = ""
    """What the sender calls it: the trigger event, ``A31``."""
    at: datetime | None = None


@canonical("person.deleted", version=1, owner=OWNER, key=("patient",), ordered_by="patient")
class PersonDeleted(Event, frozen=True, kw_only=True):
    """A person's record was removed (A29), or a record without any activity (A23)."""

    patient: Identifier
    at: datetime | None = None


@canonical("patient.merged", version=1, owner=OWNER, key=("survivor", "retired"), ordered_by="survivor")
class PatientMerged(Event, frozen=True, kw_only=True):
    """Two records were of one person: ``retired`` is now ``survivor`` (A40; formerly A18, A30, A34, A39)."""

    survivor: Identifier
    retired: Identifier
    at: datetime | None = None


@canonical("account.merged", version=1, owner=OWNER, key=("survivor", "retired"), ordered_by="survivor")
class AccountMerged(Event, frozen=True, kw_only=True):
    """Two accounts became one (A41; formerly A35, and A36 together with the patients)."""

    survivor: Identifier
    retired: Identifier
    patient: Identifier | None = None
    at: datetime | None = None


@canonical("encounter.merged", version=1, owner=OWNER, key=("survivor", "retired"), ordered_by="survivor")
class EncounterMerged(Event, frozen=True, kw_only=True):
    """Two visits were one (A42)."""

    survivor: Identifier
    retired: Identifier
    patient: Identifier | None = None
    at: datetime | None = None


@canonical("record.moved", version=1, owner=OWNER, key=("subject", "moved", "origin", "target"), ordered_by="target")
class RecordMoved(Event, frozen=True, kw_only=True):
    """Something was filed under the wrong record and now hangs under ``target`` (A43 identifier, A44 account, A45 visit)."""

    subject: Literal["identifier", "account", "visit"]
    moved: Identifier
    origin: Identifier
    target: Identifier
    at: datetime | None = None


@canonical("identifier.changed", version=1, owner=OWNER, key=("subject", "former", "current"), ordered_by="current")
class IdentifierChanged(Event, frozen=True, kw_only=True):
    """The same record now has another number (A46, A47, A48 patient; A49 account; A50, A51 visit)."""

    subject: Literal["patient", "account", "visit"]
    former: Identifier
    current: Identifier
    at: datetime | None = None


@canonical("patients.linked", version=1, owner=OWNER, key=("one", "other"), ordered_by="one")
class PatientsLinked(Event, frozen=True, kw_only=True):
    """Two records belong together and stay two (A24); ``unlinked`` takes that back (A37)."""

    one: Identifier
    other: Identifier
    unlinked: bool = False
    at: datetime | None = None


EVENTS = (
    PersonRegistered,
    PersonUpdated,
    PersonDeleted,
    PatientMerged,
    AccountMerged,
    EncounterMerged,
    RecordMoved,
    IdentifierChanged,
    PatientsLinked,
)
