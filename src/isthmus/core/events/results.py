"""Results: what the laboratory and other diagnostic services found (HL7 v2 chapter 7, ORU and OUL)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from isthmus.core.event import Event, canonical
from isthmus.core.events.values import Code, Identifier

OWNER = "laboratory"

ResultStatus = Literal["ordered", "preliminary", "final", "corrected", "cancelled"]
"""HL7 table 0123 in words (OBR-25); a corrected observation (table 0085: C, W, D) makes its whole report corrected."""


class Observation(Struct, frozen=True, kw_only=True):
    """One observation (OBX): values as the sender wrote them, for a number that is no number may still say something."""

    code: Code
    sub_id: str = ""
    type: str = ""
    """HL7 table 0125 (OBX-2); empty where the sender said none."""
    values: tuple[str, ...] = ()
    unit: str = ""
    reference_range: str = ""
    flags: tuple[str, ...] = ()
    status: str = ""
    """HL7 table 0085 (OBX-11)."""
    at: datetime | None = None
    notes: tuple[str, ...] = ()


@canonical("result.reported", version=1, owner=OWNER, key=("report", "version"), ordered_by="patient")
class ResultReported(Event, frozen=True, kw_only=True):
    """A report on one examination, first or later: a later one with other content is a new ``version`` of the same report."""

    report: str
    """Filler's (or else placer's) order number and examination: the same for each version of one report."""
    version: str
    """Derived from the content: the same report sent again is the same version."""
    status: ResultStatus
    patient: Identifier
    encounter: Identifier | None = None
    placer_order: Identifier | None = None
    filler_order: Identifier | None = None
    examination: Code
    observations: tuple[Observation, ...] = ()
    notes: tuple[str, ...] = ()
    at: datetime | None = None
    """When the status changed (OBR-22), or else when it was observed (OBR-7)."""


EVENTS = (ResultReported,)
