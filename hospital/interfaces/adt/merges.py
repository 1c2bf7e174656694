"""Merges, moves and changes of identifiers: PID (or PV1) names what remains, MRG what is no more (HL7 v2.5.1 §3.6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from msgspec import structs

from isthmus.core import Event, Invalid, derive_id
from isthmus.core.events import AccountMerged, EncounterMerged, Identifier, IdentifierChanged, PatientMerged, RecordMoved
from isthmus.formats.hl7v2 import Group, Hl7, Segment

from ...moments import moment_of
from ...patient import find_patient, patient_of, record_number

_PATIENTS = frozenset(("A18", "A30", "A34", "A36", "A39", "A40"))
_ACCOUNTS = frozenset(("A35", "A36", "A41"))
_VISITS = frozenset(("A42",))
_MOVED = frozenset(("A43", "A44", "A45"))
_CHANGED: dict[str, tuple[Literal["patient", "account", "visit"], str, str]] = {
    "A46": ("patient", "MRG-4", "PID-2"),
    "A47": ("patient", "MRG-1", "PID-3"),
    "A48": ("patient", "MRG-2", "PID-4"),
    "A49": ("account", "MRG-3", "PID-18"),
    "A50": ("visit", "MRG-5", "PV1-19"),
    "A51": ("visit", "MRG-6", "PV1-50"),
}
"""What is renumbered, where its former number stands, and where its current one."""
KINDS = tuple(f"ADT^{trigger}" for trigger in sorted(_PATIENTS | _ACCOUNTS | _VISITS | _MOVED | _CHANGED.keys()))


def translate(message: Hl7) -> Iterator[Event]:
    """One event for each PID with its MRG; a pair that is written twice is one fact."""
    trigger = message.kind.partition("^")[2]
    pairs = list(_pairs(message))
    if not pairs:
        raise Invalid("required", "MRG: send the segment with the identifiers that are no more")
    yield from dict.fromkeys(event for pair in pairs for event in _meaning(pair, trigger, moment_of(message, "EVN-6", "EVN-2")))


def key_of(event: Event) -> str:
    """The portal's key for a change of identity; hashed, for keys are shown in lists and identifiers are not."""
    return derive_id("identity", event.spec.type, event.key)


def _pairs(message: Hl7) -> Iterator[Group]:
    """Each MRG with its PID before it; a PID may stand before several (A45)."""
    person: Segment | None = None
    for group in message.groups("PID", "MRG"):
        person = group.segment("PID") or person
        if group.segment("MRG") is None:
            continue
        yield Group((person, *group), message.zone) if person is not None and group.segment("PID") is None else group


def _meaning(pair: Group, trigger: str, at: datetime | None) -> Iterator[Event]:
    if trigger in _PATIENTS:
        survivor, retired = _two(pair, patient_of(pair), _retired_patient(pair), "MRG-1")
        yield PatientMerged(survivor=survivor, retired=retired, at=at)
    if trigger in _ACCOUNTS and (trigger != "A36" or pair["MRG-3"]):
        survivor, retired = _two(pair, _any(pair, "account", "PID-18"), _any(pair, "account", "MRG-3"), "MRG-3")
        yield AccountMerged(survivor=survivor, retired=retired, patient=find_patient(pair), at=at)
    if trigger in _VISITS:
        survivor, retired = _two(pair, _any(pair, "visit", "PV1-19"), _any(pair, "visit", "MRG-5"), "MRG-5")
        yield EncounterMerged(survivor=survivor, retired=retired, patient=find_patient(pair), at=at)
    if trigger in _MOVED:
        yield _moved(pair, trigger, at)
    if trigger in _CHANGED:
        subject, former, current = _CHANGED[trigger]
        now, before = _two(pair, _any(pair, subject, current), _any(pair, subject, former), former)
        yield IdentifierChanged(subject=subject, former=before, current=now, at=at)


def _moved(pair: Group, trigger: str, at: datetime | None) -> RecordMoved:
    if trigger == "A45":  # a visit from one account (or patient) to another
        moved = _any(pair, "visit", "PV1-19", "MRG-5")
        origin, target = _any(pair, "account", "MRG-3", "MRG-1"), _any(pair, "account", "PID-18", "PID-3")
        return RecordMoved(subject="visit", moved=moved, origin=origin, target=target, at=at)
    if trigger == "A44":  # an account from one patient to another
        moved = _any(pair, "account", "MRG-3", "PID-18")
        return RecordMoved(subject="account", moved=moved, origin=_retired_patient(pair), target=patient_of(pair), at=at)
    origin = _any(pair, "patient", "MRG-4", "MRG-2", "MRG-1")  # identifiers from one patient to another
    return RecordMoved(subject="identifier", moved=_retired_patient(pair), origin=origin, target=patient_of(pair), at=at)


def _retired_patient(pair: Group) -> Identifier:
    return _any(pair, "patient", "MRG-1", "MRG-4", "MRG-2")


def _any(pair: Group, kind: str, *places: str) -> Identifier:
    """The identifier in the first of these fields that has one."""
    for place in places:
        field = pair.field(place)
        if field is not None and (found := record_number(field)) is not None:
            return structs.replace(found, kind=kind)
    raise Invalid("required", f"{pair.where(places[0])}: send the identifier")


def _two(pair: Group, survivor: Identifier, retired: Identifier, place: str) -> tuple[Identifier, Identifier]:
    if str(survivor) == str(retired):
        raise Invalid("consistency", f"{pair.where(place)}: names the record that remains; send the one that is no more")
    return survivor, retired
