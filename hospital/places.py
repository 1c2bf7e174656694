"""Where it happened: locations (HL7 data type PL) and classes of patients."""

from __future__ import annotations

from isthmus.core.events import Location, PatientClass
from isthmus.formats.hl7v2 import Group

_CLASSES: dict[str, PatientClass] = {
    "I": "inpatient",
    "O": "outpatient",
    "E": "emergency",
    "P": "preadmit",
    "R": "recurring",
    "B": "obstetrics",
    "N": "newborn",
}
_CLASSES |= {word.upper(): word for word in _CLASSES.values()}
"""HL7 table 0004; some senders write the words."""


def location_at(group: Group, place: str) -> Location | None:
    """``location_at(message, "PV1-3")``: None where no part of it says anything."""
    ward, room, bed, facility = (group[f"{place}.{part}"].strip() for part in (1, 2, 3, 4))
    return Location(ward, room, bed, facility) if ward or room or bed else None


def patient_class_of(group: Group) -> PatientClass:
    return _CLASSES.get(group["PV1-2"].strip().upper(), "unknown")
