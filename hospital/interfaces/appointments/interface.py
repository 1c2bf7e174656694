"""Appointments (SIU): a calendar entry says when and where, and nothing clinical. See README.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Literal

from isthmus.core import Classification, Delivery, Event, Interface, pseudonym, subscribe
from isthmus.core.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMissed,
    AppointmentRescheduled,
    SlotsBlocked,
)
from isthmus.formats.hl7v2 import Contract, Hl7

from ...agreement import ZONE, Agreement
from ...systems import odoo
from .reading import appointment_of, find_slot, place_of, slot_of, understand

appointments = Interface(
    "ehr.appointments",
    source="clinical",
    owner="scheduling",
    contract=Agreement(Contract("SIU^*", zone=ZONE), understand),
    classification=Classification(
        criticality="operations",
        latency="minutes",
        volume="6k/day",
        failure="rooms and staff are planned twice or not at all",
        recovery="replay",
        ordered_by="appointment",
    ),
    runbook="interfaces/appointments/README.md",
)


@appointments.translate("SIU^S12")
def booked(message: Hl7) -> Iterator[Event]:
    slot = slot_of(message)
    yield AppointmentBooked(appointment=appointment_of(message), start=slot.start, end=slot.end, place=place_of(message))


@appointments.translate("SIU^*")
def rescheduled(message: Hl7) -> Iterator[Event]:
    """S13, and whatever else changes an appointment (S14, S18 to S22): the calendar shows what holds now."""
    slot = slot_of(message)
    yield AppointmentRescheduled(appointment=appointment_of(message), start=slot.start, end=slot.end, place=place_of(message))


@appointments.translate("SIU^S15", "SIU^S16", "SIU^S17")
def cancelled(message: Hl7) -> Iterator[Event]:
    how: dict[str, Literal["discontinued", "deleted"]] = {"SIU^S16": "discontinued", "SIU^S17": "deleted"}
    yield AppointmentCancelled(appointment=appointment_of(message), how=how.get(message.kind, "cancelled"))


@appointments.translate("SIU^S26")
def missed(message: Hl7) -> Iterator[Event]:
    slot = find_slot(message)
    yield AppointmentMissed(
        appointment=appointment_of(message),
        start=slot.start if slot is not None else None,
        end=slot.end if slot is not None else None,
        place=place_of(message),
    )


@appointments.translate("SIU^S23", "SIU^S24")
def blocked(message: Hl7) -> Iterator[Event]:
    slot = slot_of(message)
    yield SlotsBlocked(
        block=appointment_of(message), start=slot.start, end=slot.end, place=place_of(message), opened=message.kind == "SIU^S24"
    )


# ---- the calendar ------------------------------------------------------------------------------------------------------------------

CALENDAR = Classification(
    criticality="operations",
    latency="minutes",
    volume="6k/day",
    failure="rooms and staff are planned twice or not at all",
    recovery="replay",
    ordered_by="appointment",
)


@subscribe(AppointmentBooked, AppointmentRescheduled, AppointmentMissed, to=odoo, owner="scheduling", classification=CALENDAR)
async def enter_appointment(event: AppointmentBooked | AppointmentRescheduled | AppointmentMissed) -> AsyncIterator[Delivery]:
    """The entry under the appointment's pseudonym; a later event about the same appointment moves the same entry."""
    if event.start is None or event.end is None:
        yield odoo.withdraw("calendar.event", await _entry_of(event.appointment))
        return
    what = "Missed appointment" if isinstance(event, AppointmentMissed) else "Appointment"
    yield odoo.appointment(
        await _entry_of(event.appointment),
        name=f"{what}: {event.place}" if event.place else what,
        start=event.start,
        stop=event.end,
        more={"location": event.place},
    )


@subscribe(AppointmentCancelled, to=odoo, owner="scheduling", classification=CALENDAR)
async def cancel_appointment(event: AppointmentCancelled) -> AsyncIterator[Delivery]:
    yield odoo.withdraw("calendar.event", await _entry_of(event.appointment))


@subscribe(SlotsBlocked, to=odoo, owner="scheduling", classification=CALENDAR)
async def block_time(event: SlotsBlocked) -> AsyncIterator[Delivery]:
    """Time in which nobody can be booked is an entry too, until it is opened again."""
    key = "blocked-" + await pseudonym("appointment", str(event.block))
    if event.opened:
        yield odoo.withdraw("calendar.event", key)
    else:
        name = f"Blocked: {event.place}" if event.place else "Blocked"
        yield odoo.appointment(key, name=name, start=event.start, stop=event.end, more={"location": event.place})


async def _entry_of(appointment: object) -> str:
    return "appointment-" + await pseudonym("appointment", str(appointment))
