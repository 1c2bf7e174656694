"""Place: where in a message something stands, in the words of analysts: ``PV1-19``, ``PID-3[2].4``, ``OBX[3]-5.1.2``."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from isthmus.core.failure import Bug

_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[([1-9]\d*)\])?(?:-([1-9]\d*)(?:\[([1-9]\d*)\])?(?:\.([1-9]\d*)(?:\.([1-9]\d*))?)?)?")


HEADERS = frozenset((b"MSH", b"FHS", b"BHS"))
"""Segments whose first field is the field separator itself."""


class Place(Struct, frozen=True):
    """All numbers count from 1, as the standard does; 0 stands for what was not said."""

    segment: str
    occurrence: int = 0
    field: int = 0
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0
    name: bytes = b""
    """The segment's name as it stands in the message."""
    first: bool = True
    """No repetition, component or sub-component other than the first."""

    @property
    def delimits(self) -> bool:
        """True for MSH-1 and MSH-2 (and those of FHS and BHS), which are delimiters and not made of them."""
        return 0 < self.field <= 2 and self.name in HEADERS  # noqa: PLR2004

    def __str__(self) -> str:
        text = self.segment + (f"[{self.occurrence}]" if self.occurrence else "")
        if self.field:
            text += f"-{self.field}" + (f"[{self.repetition}]" if self.repetition else "")
        if self.component:
            text += f".{self.component}" + (f".{self.subcomponent}" if self.subcomponent else "")
        return text


@lru_cache(maxsize=4096)
def place(text: str) -> Place:
    """Read a place; raises ``Bug``, for places are written by authors of interfaces, never by senders."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise Bug("place", f"{text!r} names no place in a message; write PID-3, PID-3[2].4 or OBX[3]-5.1")
    segment, *said = match.groups()
    occurrence, field, repetition, component, subcomponent = (int(number or 0) for number in said)
    return Place(
        segment, occurrence, field, repetition, component, subcomponent, segment.encode(), max(repetition, component, subcomponent) <= 1
    )


@lru_cache(maxsize=4096)
def inner_place(text: str) -> Place:
    """Read a place within a segment (``3[2].4``)."""
    return place(f"ZZZ-{text}")


def read_place(text: str) -> Place | None:
    """Like :func:`place`, for texts that others wrote: None where it names none."""
    return place(text) if _PLACE.fullmatch(text) else None
