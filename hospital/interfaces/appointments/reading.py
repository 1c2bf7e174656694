"""Reading SIU: which appointment, when, and where (HL7 v2.5.1 §10.4, 10.6). Never why, and never whose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.core import Invalid, Violation
from isthmus.core.events import Identifier
from isthmus.formats.hl7v2 import Hl7

from ...agreement import attempt
from ...amounts import amount_at
from ...moments import moment_of

_STARTS = ("SCH-11.4", "TQ1-7", "AIS-4", "AIL-6", "AIG-8", "AIP-6")
_ENDS = ("SCH-11.5", "TQ1-8")
_DURATIONS = (("SCH-11.3", ""), ("AIS-7", "AIS-8"), ("AIL-9", "AIL-10"), ("AIG-11", "AIG-12"), ("AIP-9", "AIP-10"), ("SCH-9", "SCH-10"))
_MINUTES = {
    "s": 1 / 60,
    "sec": 1 / 60,
    "secs": 1 / 60,
    "h": 60.0,
    "hr": 60.0,
    "hrs": 60.0,
    "hour": 60.0,
    "hours": 60.0,
    "d": 1440.0,
    "day": 1440.0,
}
_USUAL = timedelta(minutes=30)
_LONGEST = timedelta(days=31)

NEED_NO_TIME = frozenset(("SIU^S15", "SIU^S16", "SIU^S17", "SIU^S26"))


class Slot(Struct, frozen=True):
    start: datetime
    end: datetime


def understand(message: Hl7) -> Iterator[Violation]:
    """An appointment needs a number, and a time unless it is off."""
    yield from attempt(lambda: appointment_of(message))
    if message.kind not in NEED_NO_TIME:
        yield from attempt(lambda: slot_of(message))


def appointment_of(message: Hl7) -> Identifier:
    """The appointment's number by placer SCH-1, else filler SCH-2, else the orders SCH-26 and SCH-27."""
    for field in ("SCH-1", "SCH-2", "SCH-26", "SCH-27"):
        number = message[f"{field}.1"].strip()
        if number:
            return Identifier(number, message[f"{field}.2"] or message[f"{field}.3"], "appointment")
    raise Invalid("required", "SCH-1: send the number of the appointment, or the filler's in SCH-2")


def slot_of(message: Hl7) -> Slot:
    slot = find_slot(message)
    if slot is None:
        raise Invalid("required", "SCH-11.4: send the start as YYYYMMDDHHMM, here or in TQ1-7, AIS-4 or AIL-6")
    return slot


def find_slot(message: Hl7) -> Slot | None:
    """Start and end. The end by its own field, else by a duration, else half an hour after the start."""
    start = moment_of(message, *_STARTS)
    if start is None:
        return None
    end = moment_of(message, *_ENDS)
    if end is None or not start < end <= start + _LONGEST:
        end = start + (_duration(message) or _USUAL)
    return Slot(start, end)


def place_of(message: Hl7) -> str:
    """Room or clinic by AIL-3, else the equipment by AIG-3 (its code), else the clinic of PV1-3."""
    for place in ("AIL-3", "PV1-3"):
        parts = (message[f"{place}.{part}"].strip() for part in (1, 2, 3))
        found = " / ".join(part for part in parts if part)
        if found:
            return found
    return message["AIG-3.1"].strip()


def _duration(message: Hl7) -> timedelta | None:
    """The first readable one between a minute and a month."""
    for number, unit in _DURATIONS:
        try:
            count = amount_at(message, number)
        except Invalid:
            continue
        if count is None or count <= 0:
            continue
        minutes = float(count) * _MINUTES.get(message[f"{unit}.1"].strip().lower() if unit else "", 1.0)
        if 1 <= minutes <= _LONGEST / timedelta(minutes=1):
            return timedelta(minutes=minutes)
    return None
