"""The small values that canonical events are made of: identifiers with who assigned them, codes, places, payers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

PatientClass = Literal["inpatient", "outpatient", "emergency", "preadmit", "recurring", "obstetrics", "newborn", "unknown"]
"""HL7 table 0004 in words; what a hospital adds of its own is ``unknown``."""


class Identifier(Struct, frozen=True):
    """A business identifier and who assigned it: the same number from two authorities is two identifiers."""

    value: str
    authority: str = ""
    """The assigning authority as the sender names it: a namespace, or else a universal id (CX.4, EI.2)."""
    kind: str = ""
    """What it identifies, where that is not plain from the field: ``visit``, ``account``, ``patient``."""

    def __str__(self) -> str:
        return f"{self.value}@{self.authority}" if self.authority else self.value


class Code(Struct, frozen=True):
    """A coded value: code, the system that defines it, and the text that belongs to the code."""

    code: str
    system: str = ""
    text: str = ""


class Location(Struct, frozen=True):
    """Where in the hospital (HL7 data type PL): building and floor are left to the hospital's own register of beds."""

    ward: str = ""
    room: str = ""
    bed: str = ""
    facility: str = ""

    def __str__(self) -> str:
        return " / ".join(part for part in (self.facility, self.ward, self.room, self.bed) if part)


class Payer(Struct, frozen=True):
    """Who pays: an insurance by its own code, or the patient's side."""

    kind: Literal["insurance", "self-pay"]
    code: str = ""
    """The insurance company's identifier (IN1-3); empty for self-pay."""
    authority: str = ""
