"""Scheduling: appointments made, moved, cancelled, missed (HL7 v2 chapter 10, SIU). When and where, never why or whom."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Identifier

OWNER = "scheduling"


@canonical("appointment.booked", version=1, owner=OWNER, key=("appointment",), ordered_by="appointment")
class AppointmentBooked(Event, frozen=True, kw_only=True):
    """An appointment was made (S12)."""

    appointment: Identifier
    start: datetime
    end: datetime
    place: str = ""
    """The room or clinic (AIL-3), or else the equipment (AIG-3)."""


@canonical("appointment.rescheduled", version=1, owner=OWNER, key=("appointment",), ordered_by="appointment")
class AppointmentRescheduled(Event, frozen=True, kw_only=True):
    """An appointment has a new time (S13), or other details that a calendar shows (S14, S18 to S22)."""

    appointment: Identifier
    start: datetime
    end: datetime
    place: str = ""


@canonical("appointment.cancelled", version=1, owner=OWNER, key=("appointment",), ordered_by="appointment")
class AppointmentCancelled(Event, frozen=True, kw_only=True):
    """An appointment will not take place: cancelled (S15), discontinued (S16), deleted as a mistake (S17)."""

    appointment: Identifier
    how: Literal["cancelled", "discontinued", "deleted"] = "cancelled"


@canonical("appointment.missed", version=1, owner=OWNER, key=("appointment",), ordered_by="appointment")
class AppointmentMissed(Event, frozen=True, kw_only=True):
    """The patient did not come (S26)."""

    appointment: Identifier
    start: datetime | None = None
    end: datetime | None = None
    place: str = ""


@canonical("slots.blocked", version=1, owner=OWNER, key=("block",), ordered_by="block")
class SlotsBlocked(Event, frozen=True, kw_only=True):
    """Time in a place was closed for appointments (S23), or opened again (S24)."""

    block: Identifier
    start: datetime
    end: datetime
    place: str = ""
    opened: bool = False


EVENTS = (AppointmentBooked, AppointmentRescheduled, AppointmentCancelled, AppointmentMissed, SlotsBlocked)
