"""The canonical events: what can happen in a hospital, in its own words, each with an owner and a version.

A field that is added with a default keeps the version; whatever else changes makes a new class with the next version, and the
old one stays as long as the journal holds events of it.
"""

from __future__ import annotations

from isthmus.core.event import Event
from isthmus.core.events import billing, encounters, exchange, identity, medication, orders, results, scheduling, supply
from isthmus.core.events.billing import ChargeCredited, ChargeLine, ChargePosted, ChargesBilled, ChargesRefunded, PaymentPosted
from isthmus.core.events.encounters import (
    AdmissionCancelled,
    BedStatusChanged,
    DischargeCancelled,
    EncounterPlanned,
    EncounterUpdated,
    PatientAdmitted,
    PatientDischarged,
    PatientPreadmitted,
    PatientRegistered,
    PatientTransferred,
    TransferCancelled,
)
from isthmus.core.events.exchange import DeliveryAcknowledged
from isthmus.core.events.identity import (
    AccountMerged,
    EncounterMerged,
    IdentifierChanged,
    PatientMerged,
    PatientsLinked,
    PersonDeleted,
    PersonRegistered,
    PersonUpdated,
    RecordMoved,
)
from isthmus.core.events.medication import MedicationDispensed, MedicationOrdered, MedicationReturned
from isthmus.core.events.orders import OrderCancelled, OrderChanged, OrderLine, OrderPlaced
from isthmus.core.events.results import Observation, ResultReported
from isthmus.core.events.scheduling import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMissed,
    AppointmentRescheduled,
    SlotsBlocked,
)
from isthmus.core.events.supply import SupplyLine, SupplyReturned, SupplyUsed
from isthmus.core.events.values import Code, Identifier, Location, PatientClass, Payer

ALL: tuple[type[Event], ...] = (
    *encounters.EVENTS,
    *identity.EVENTS,
    *billing.EVENTS,
    *medication.EVENTS,
    *supply.EVENTS,
    *scheduling.EVENTS,
    *results.EVENTS,
    *orders.EVENTS,
    *exchange.EVENTS,
)

__all__ = [
    "ALL", "AccountMerged", "AdmissionCancelled", "AppointmentBooked", "AppointmentCancelled", "AppointmentMissed", "AppointmentRescheduled",
    "BedStatusChanged", "ChargeCredited", "ChargeLine", "ChargePosted", "ChargesBilled", "ChargesRefunded", "Code", "DeliveryAcknowledged",
    "DischargeCancelled", "EncounterMerged", "EncounterPlanned", "EncounterUpdated", "Identifier", "IdentifierChanged", "Location",
    "MedicationDispensed", "MedicationOrdered", "MedicationReturned", "Observation", "OrderCancelled", "OrderChanged", "OrderLine",
    "OrderPlaced", "PatientAdmitted", "PatientClass", "PatientDischarged", "PatientMerged", "PatientPreadmitted", "PatientRegistered",
    "PatientTransferred", "PatientsLinked", "Payer", "PaymentPosted", "PersonDeleted", "PersonRegistered", "PersonUpdated", "RecordMoved", "ResultReported",
    "SlotsBlocked", "SupplyLine", "SupplyReturned", "SupplyUsed", "TransferCancelled",
]  # fmt: skip
