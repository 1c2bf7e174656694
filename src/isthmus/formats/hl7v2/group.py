"""Group: segments that belong together, and how their values are read. A message is the outermost group."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, TypeVar, overload

from isthmus.core.failure import Bug, Invalid
from isthmus.formats.hl7v2 import primitive
from isthmus.formats.hl7v2.field import Field
from isthmus.formats.hl7v2.place import Place, place
from isthmus.formats.hl7v2.segment import Segment

T = TypeVar("T")


class _Required:
    """Stands for "no default was given"."""


_REQUIRED: Final = _Required()


class Group:
    """Reads values by place: ``group["PV1-19"]``. Places count within the group; failures name the place in the message."""

    __slots__ = ("_segments", "_zone")

    def __init__(self, segments: tuple[Segment, ...], zone: dt.tzinfo) -> None:
        self._segments = segments
        self._zone = zone

    @property
    def zone(self) -> dt.tzinfo:
        """Which zone a time without offset is in."""
        return self._zone

    def find(self, name: bytes, occurrence: int = 1) -> Segment | None:
        """The n-th segment of this name."""
        for segment in self._segments:
            if segment.slim[:3] == name:
                if occurrence <= 1:
                    return segment
                occurrence -= 1
        return None

    def __iter__(self) -> Iterator[Segment]:
        """All segments in their order."""
        return iter(self._segments)

    def segments(self, *names: str) -> tuple[Segment, ...]:
        """The segments of these names, in the order of the message; all, if no name is given."""
        if not names:
            return tuple(self)
        wanted = {name.encode() for name in names}
        return tuple(segment for segment in self if segment.slim[:3] in wanted)

    def segment(self, name: str) -> Segment | None:
        """The first segment of this name."""
        return self.find(name.encode())

    def groups(self, *starts: str) -> Iterator[Group]:
        """Split at segments that begin a group: ``groups("ORC", "OBR")`` gives each order with its results and notes.

        A group begins at the first of ``starts``, and at a later one unless that was to follow what the group already has: after
        an ORC an OBR belongs to the same group, after an OBR another OBR begins the next. Merges: ``groups("PID", "MRG")``.
        """
        ranks = {name.encode(): rank for rank, name in enumerate(starts)}
        current: list[Segment] = []
        reached = -1
        for segment in self:
            rank = ranks.get(segment.slim[:3])
            if rank is not None:
                if rank <= reached and current:
                    yield Group(tuple(current), self.zone)
                    current = []
                reached = rank
                current.append(segment)
            elif current:
                current.append(segment)
        if current:
            yield Group(tuple(current), self.zone)

    # ---- values ----------------------------------------------------------------------------------------------------------

    def __getitem__(self, path: str) -> str:
        """The text at a place: first repetition and component unless said, decoded, unescaped; empty where absent or null."""
        at = place(path)
        segment = self.find(at.name, at.occurrence)
        return "" if segment is None else segment.value(at)

    def field(self, path: str) -> Field | None:
        """The field at a place, None where its segment is absent."""
        at = place(path)
        segment = self.find(at.name, at.occurrence)
        return None if segment is None else segment[at.field]

    def text(self, path: str) -> str:
        """The whole field as one text, repetitions as lines: for narrative (TX, FT) whose sender did not escape its delimiters."""
        field = self.field(path)
        return "" if field is None else field.text

    def values(self, path: str) -> tuple[str, ...]:
        """The text at a place in every repetition of its field (``values("PID-3.1")``) in every such segment; empty ones left out."""
        at = place(path)
        if at.repetition:
            raise Bug("place", f"values({path!r}) reads every repetition: leave the number in brackets away")
        found: list[str] = []
        for segment in self.segments(at.segment) if not at.occurrence else filter(None, (self.find(at.name, at.occurrence),)):
            for repetition in segment[at.field]:
                component = repetition[at.component or 1]
                found.append(component[at.subcomponent or 1])
        return tuple(filter(None, found))

    def is_null(self, path: str) -> bool:
        """True where the sender said explicitly that there is no value (``""``): delete it, as distinct from not said."""
        at = place(path)
        segment = self.find(at.name, at.occurrence)
        return segment is not None and segment.is_null(at)

    @overload
    def time(self, path: str) -> dt.datetime: ...
    @overload
    def time(self, path: str, default: T) -> dt.datetime | T: ...
    def time(self, path: str, default: T | _Required = _REQUIRED) -> dt.datetime | T:
        """The point in time at a place, always aware; what was not said (day, hour …) is the earliest it can be.

        Without an offset of its own it is in the offset of MSH-7 if that has one (§2.15.9.7), else in the zone of the contract,
        else UTC. Absent: ``default``, or ``Invalid`` without one. No DTM: ``Invalid``, with the place.
        """
        text = self[path]
        if not text:
            return self._absent(path, default)
        found = primitive.moment(text)
        if found is None:
            raise self._invalid(path, "type", "write YYYYMMDD[HHMM[SS[.S]]][+ZZZZ]")
        return found.value if found.value.tzinfo is not None else found.value.replace(tzinfo=self.zone)

    @overload
    def date(self, path: str) -> dt.date: ...
    @overload
    def date(self, path: str, default: T) -> dt.date | T: ...
    def date(self, path: str, default: T | _Required = _REQUIRED) -> dt.date | T:
        """The day at a place, as the sender's calendar has it; ``Invalid`` where only a month or a year was said."""
        text = self[path]
        if not text:
            return self._absent(path, default)
        found = primitive.day(text)
        if found is None:
            raise self._invalid(path, "type", "write a whole date, YYYYMMDD")
        return found

    @overload
    def number(self, path: str) -> Decimal: ...
    @overload
    def number(self, path: str, default: T) -> Decimal | T: ...
    def number(self, path: str, default: T | _Required = _REQUIRED) -> Decimal | T:
        """The number at a place."""
        text = self[path]
        if not text:
            return self._absent(path, default)
        found = primitive.number(text)
        if found is None:
            raise self._invalid(path, "type", "write digits with at most one decimal point and a leading sign")
        return found

    def required(self, path: str) -> str:
        """The text at a place; ``Invalid`` where it is absent or null."""
        return self[path] or self._absent(path, _REQUIRED)

    def where(self, path: str) -> str:
        """The place in the message of a place in this group."""
        at = place(path)
        segment = self.find(at.name, at.occurrence)
        occurrence = at.occurrence if segment is None else segment.occurrence if segment.occurrence > 1 else 0
        return str(Place(at.segment, occurrence, at.field, at.repetition, at.component, at.subcomponent))

    def _absent(self, path: str, default: T | _Required) -> T:
        if isinstance(default, _Required):
            raise self._invalid(path, "required", "send a value")
        return default

    def _invalid(self, path: str, rule: str, cure: str) -> Invalid:
        return Invalid(rule, f"{self.where(path)}: {cure}")
