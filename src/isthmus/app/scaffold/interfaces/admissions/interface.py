"""Admissions and discharges become entries of the front desk's list. Read this file from top to bottom: it is a whole interface."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Classification, Delivery, Event, Interface, canonical, subscribe
from isthmus.formats.hl7v2 import Contract, Hl7

from ...systems import arrivals

# What it costs when this stands still. Retries, pages and retention follow from it: `isthmus policy admissions`.
DESK = Classification(criticality="operations", latency="seconds", volume="500/day", failure="the desk asks twice", ordered_by="encounter")

# What was agreed with the sender. A message that breaks it is kept, and answered AE with the place, the rule and the cure.
admissions = Interface(
    "admissions",
    source="clinical",
    owner="front-desk",
    classification=DESK,
    contract=Contract("ADT^A01", "ADT^A03", required=("PID-3", "PV1-3", "PV1-19")),
)


# What happened, in this hospital's own words. Whoever is interested subscribes; the sender's format stays behind.
@canonical("bed.changed", version=1, owner="front-desk", key=("encounter", "taken"), ordered_by="encounter")
class BedChanged(Event, frozen=True, kw_only=True):
    encounter: str
    ward: str
    bed: str
    taken: bool


# Message → events. Pure: no clock, no network, so that a dry run, a test and production do the same.
@admissions.translate("ADT^A01", "ADT^A03")
def moved(message: Hl7) -> Iterator[Event]:
    yield BedChanged(
        encounter=message["PV1-19"],
        ward=message["PV1-3.1"],
        bed=message["PV1-3.3"],
        taken=message["MSH-9.2"] == "A01",
    )


# Event → deliveries, as data. The engine sends them, in order, once, and again by itself when the receiver is down.
@subscribe(BedChanged, to=arrivals, owner="front-desk", classification=DESK)
def tell_the_desk(event: BedChanged) -> Iterator[Delivery]:
    step = "in" if event.taken else "out"
    entry = f"{event.encounter}-{step}"
    yield arrivals.drop(f"{entry}.json", {"ward": event.ward, "bed": event.bed, "step": step}, key=entry)
