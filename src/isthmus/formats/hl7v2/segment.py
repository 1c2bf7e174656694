"""Segment: one line of a message, split into fields when the first is asked for."""

from __future__ import annotations

from typing import overload

from isthmus.formats.hl7v2.encoding import NULL, Encoding
from isthmus.formats.hl7v2.field import Field
from isthmus.formats.hl7v2.place import HEADERS, Place, inner_place


class Segment:
    """``segment[3]`` is a :class:`Field`, ``segment["3[2].4"]`` its text; what is absent is empty."""

    __slots__ = ("_fields", "encoding", "occurrence", "slim")

    def __init__(self, raw: bytes, encoding: Encoding, occurrence: int) -> None:
        self.slim = raw
        """Its bytes, without the terminator and without what was taken out of a large message."""
        self.encoding = encoding
        self.occurrence = occurrence
        """Which one of its name in the message, from 1."""
        self._fields: list[bytes] | None = None

    @property
    def raw(self) -> bytes:
        """Its bytes, without the terminator."""
        return self.encoding.whole(self.slim)

    @property
    def name(self) -> str:
        return self.slim[:3].decode("latin-1")

    @property
    def where(self) -> str:
        """Its place in words: ``OBX[3]``; the first of its name is just ``PID``."""
        return f"{self.name}[{self.occurrence}]" if self.occurrence > 1 else self.name

    @property
    def fields(self) -> list[bytes]:
        """Raw fields, without what was taken out of a large message; number 0 is the name."""
        fields = self._fields
        if fields is None:
            separator = self.encoding.field
            fields = self._fields = self.slim.split(separator)
            if fields[0] in HEADERS:
                fields.insert(1, separator)
        return fields

    @overload
    def __getitem__(self, key: int) -> Field: ...
    @overload
    def __getitem__(self, key: str) -> str: ...
    def __getitem__(self, key: int | str) -> Field | str:
        """A field by its number, or the text at a place in this segment: ``segment["3[2].4"]``."""
        if isinstance(key, str):
            return self.value(inner_place(key))
        fields = self.fields
        return Field(fields[key] if 0 < key < len(fields) else b"", self.encoding)

    def __len__(self) -> int:
        """Number of its last field."""
        return len(self.fields) - 1

    def part(self, place: Place) -> bytes:
        """The raw bytes at a place (its segment is not looked at); without component or repetition said, the first."""
        fields = self._fields or self.fields
        number = place.field
        if number >= len(fields):
            return b""
        raw = fields[number]
        if raw.isalnum():  # most values are: no delimiter, no escape, one byte a letter
            return raw if place.first else b""
        if not raw or (number <= 2 and fields[0] in HEADERS):  # noqa: PLR2004 - MSH-1 and MSH-2 are delimiters, not made of them
            return raw
        encoding = self.encoding
        if place.first:
            for delimiter in encoding.levels:
                if delimiter in raw:
                    raw = raw.partition(delimiter)[0]
            return raw
        if place.repetition > 1 or encoding.repetition in raw:
            raw = _nth(raw, encoding.repetition, place.repetition)
        if place.component > 1 or encoding.component in raw:
            raw = _nth(raw, encoding.component, place.component)
        if place.subcomponent > 1 or encoding.subcomponent in raw:
            raw = _nth(raw, encoding.subcomponent, place.subcomponent)
        return raw

    def value(self, place: Place) -> str:
        """The text at a place."""
        raw = self.part(place)
        return raw.decode() if raw.isalnum() else self.encoding.text(raw)

    def is_null(self, place: Place) -> bool:
        """True where the explicit null ``""`` stands at this place, or in the field that holds it."""
        fields = self.fields
        return self.part(place) == NULL or (place.field < len(fields) and fields[place.field] == NULL)

    def __bytes__(self) -> bytes:
        return self.raw

    def __repr__(self) -> str:
        return f"<Segment {self.where}>"  # its fields may name a patient


def _nth(raw: bytes, delimiter: bytes, number: int) -> bytes:
    """The n-th part, the first where no number is said."""
    if delimiter and delimiter in raw:
        parts = raw.split(delimiter, number or 1)
        if number <= len(parts):
            return parts[number - 1 if number else 0]
        return b""
    return raw if number <= 1 else b""
