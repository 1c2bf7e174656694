"""Medication: ordered, given out, brought back (HL7 v2 chapter 4A)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Identifier, Location

OWNER = "pharmacy"


@canonical("medication.ordered", version=1, owner=OWNER, key=("order", "drug"), ordered_by="patient")
class MedicationOrdered(Event, frozen=True, kw_only=True):
    """A prescription was written, changed or stopped (RDE^O11, RDE^O25, ORM^O01 with RXO)."""

    order: Identifier
    patient: Identifier
    drug: str
    """Code of the drug (RXE-2, RXO-1)."""
    drug_system: str = ""
    action: Literal["new", "change", "cancel"] = "new"
    quantity: Decimal | None = None
    unit: str = ""
    at: datetime | None = None


@canonical("medication.dispensed", version=1, owner=OWNER, key=("dispense",), ordered_by="drug")
class MedicationDispensed(Event, frozen=True, kw_only=True):
    """The pharmacy gave out a drug (RXD). Says nothing of the patient: stock does not need to know."""

    dispense: str
    """Prescription, dispense number, drug and time: what tells this dispense from every other."""
    drug: str
    drug_system: str = ""
    quantity: Decimal
    unit: str = ""
    lot: str = ""
    location: Location | None = None
    """Where it went: the ward (PV1-3)."""
    at: datetime | None = None


@canonical("medication.returned", version=1, owner=OWNER, key=("dispense",), ordered_by="drug")
class MedicationReturned(Event, frozen=True, kw_only=True):
    """A drug came back to the pharmacy (RXD with a negative quantity). The quantity here is positive."""

    dispense: str
    drug: str
    drug_system: str = ""
    quantity: Decimal
    unit: str = ""
    lot: str = ""
    location: Location | None = None
    at: datetime | None = None


EVENTS = (MedicationOrdered, MedicationDispensed, MedicationReturned)
