"""What both interfaces read: who it is about, where they lie, and when it happened."""

from __future__ import annotations

from isthmus.core.events import Code, Identifier, Location
from isthmus.formats.hl7v2 import Hl7, Segment


def patient_of(message: Hl7) -> Identifier:
    """The contract has seen to it that PID-3 is there."""
    return Identifier(message["PID-3.1"], message["PID-3.4"], "patient")


def encounter_of(message: Hl7) -> Identifier:
    return Identifier(message["PV1-19.1"], message["PV1-19.4"], "visit")


def location_of(message: Hl7, place: str) -> Location | None:
    ward = message[f"{place}.1"]
    return Location(ward=ward, room=message[f"{place}.2"], bed=message[f"{place}.3"], facility=message[f"{place}.4"]) if ward else None


def code_of(segment: Segment, number: int) -> Code:
    return Code(segment[f"{number}.1"], segment[f"{number}.3"], segment[f"{number}.2"])
