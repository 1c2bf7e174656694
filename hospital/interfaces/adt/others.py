"""All other triggers of ADT: what is planned, persons without an encounter, beds, and what merely updates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from isthmus.core import Event, Invalid
from isthmus.core.events import (
    BedStatusChanged,
    EncounterPlanned,
    EncounterUpdated,
    PatientsLinked,
    PatientTransferred,
    PersonDeleted,
    PersonRegistered,
    PersonUpdated,
)
from isthmus.formats.hl7v2 import Hl7

from ...moments import moment_of
from ...patient import encounter_of, find_encounter, patient_of
from ...places import location_at, patient_class_of

_PLANS: dict[str, tuple[Literal["admission", "transfer", "discharge"], bool]] = {
    "A14": ("admission", False),
    "A15": ("transfer", False),
    "A16": ("discharge", False),
    "A27": ("admission", True),
    "A26": ("transfer", True),
    "A25": ("discharge", True),
}
_PERSONS = frozenset(("A28", "A31", "A29", "A23"))
_LINKS = frozenset(("A24", "A37"))


def translate(message: Hl7) -> Iterator[Event]:
    """Whatever no other translator takes. A trigger that is not known here says that something changed, and is kept as that."""
    trigger = message.kind.partition("^")[2]
    if trigger in _PLANS:
        yield from _planned(message, trigger)
    elif trigger in _PERSONS:
        yield _person(message, trigger)
    elif trigger == "A17":
        yield from _swapped(message)
    elif trigger in _LINKS:
        yield _linked(message, unlinked=trigger == "A37")
    elif trigger == "A20":
        yield _bed(message)
    else:
        yield _updated(message, trigger)


def _planned(message: Hl7, trigger: str) -> Iterator[Event]:
    step, withdrawn = _PLANS[trigger]
    yield EncounterPlanned(
        encounter=encounter_of(message),
        patient=patient_of(message),
        step=step,
        withdrawn=withdrawn,
        location=location_at(message, "PV1-42") or location_at(message, "PV1-3"),
        at=moment_of(message, "EVN-3", "PV2-8", "PV2-9", "EVN-2"),
    )


def _person(message: Hl7, trigger: str) -> Event:
    patient, at = patient_of(message), moment_of(message, "EVN-6", "EVN-2")
    if trigger == "A28":
        return PersonRegistered(patient=patient, at=at)
    if trigger == "A31":
        return PersonUpdated(patient=patient, change=trigger, at=at)
    return PersonDeleted(patient=patient, at=at)


def _updated(message: Hl7, trigger: str) -> Event:
    patient, at = patient_of(message), moment_of(message, "EVN-6", "EVN-2")
    encounter = find_encounter(message)
    if encounter is None:
        return PersonUpdated(patient=patient, change=trigger, at=at)
    return EncounterUpdated(
        encounter=encounter,
        patient=patient,
        change=trigger,
        patient_class=patient_class_of(message),
        location=location_at(message, "PV1-3"),
        at=at,
    )


def _swapped(message: Hl7) -> Iterator[Event]:
    """A17: PID and PV1 twice; each PV1-3 is where that patient lies now."""
    at = moment_of(message, "EVN-6", "EVN-2")
    seen: set[str] = set()
    for group in message.groups("PID", "PV1"):
        encounter = encounter_of(group)
        if str(encounter) not in seen:
            seen.add(str(encounter))
            yield PatientTransferred(
                encounter=encounter,
                patient=patient_of(group),
                patient_class=patient_class_of(group),
                location=location_at(group, "PV1-3"),
                prior=location_at(group, "PV1-6"),
                swapped=True,
                at=at,
            )


def _linked(message: Hl7, *, unlinked: bool) -> Event:
    """A24, A37: PID twice."""
    pairs = list(message.groups("PID"))
    if len(pairs) < 2:  # noqa: PLR2004 - two records are linked
        raise Invalid("required", "PID[2]: send the second of the two patients")
    one, other = patient_of(pairs[0]), patient_of(pairs[1])
    return PatientsLinked(one=one, other=other, unlinked=unlinked, at=moment_of(message, "EVN-6", "EVN-2"))


def _bed(message: Hl7) -> Event:
    location = location_at(message, "NPU-1")
    if location is None:
        raise Invalid("required", "NPU-1: send the bed")
    return BedStatusChanged(location=location, status=message["NPU-2"], at=moment_of(message, "EVN-6", "EVN-2"))
