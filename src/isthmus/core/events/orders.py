"""Orders: examinations asked for, changed, called off (HL7 v2 chapter 4, OML and ORM)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Code, Identifier

OWNER = "clinical-orders"

Service = Literal["laboratory", "imaging", "other"]


class OrderLine(Struct, frozen=True, kw_only=True):
    """One examination of a requisition (ORC with its OBR)."""

    placer_order: Identifier | None = None
    filler_order: Identifier | None = None
    examination: Code | None = None
    control: str = ""
    """What the placer wants (ORC-1, HL7 table 0119): NW, CA, XO …"""
    priority: str = ""


@canonical("order.placed", version=1, owner=OWNER, key=("requisition", "version"), ordered_by="patient")
class OrderPlaced(Event, frozen=True, kw_only=True):
    """A requisition with at least one new order."""

    requisition: str
    """Order number of its first order, with who assigned it."""
    version: str
    """Derived from the content: the same requisition sent again is the same version."""
    service: Service
    patient: Identifier
    lines: tuple[OrderLine, ...]
    at: datetime | None = None
    document: bytes
    """The requisition as it was written: the department gets it unchanged, in its own language (HL7 v2)."""


@canonical("order.changed", version=1, owner=OWNER, key=("requisition", "version"), ordered_by="patient")
class OrderChanged(Event, frozen=True, kw_only=True):
    """A requisition that changes, holds or releases orders which the department already has."""

    requisition: str
    version: str
    service: Service
    patient: Identifier
    lines: tuple[OrderLine, ...]
    at: datetime | None = None
    document: bytes


@canonical("order.cancelled", version=1, owner=OWNER, key=("requisition", "version"), ordered_by="patient")
class OrderCancelled(Event, frozen=True, kw_only=True):
    """A requisition that only calls off (ORC-1 CA, DC, OC in every order)."""

    requisition: str
    version: str
    service: Service
    patient: Identifier
    lines: tuple[OrderLine, ...]
    at: datetime | None = None
    document: bytes


EVENTS = (OrderPlaced, OrderChanged, OrderCancelled)
