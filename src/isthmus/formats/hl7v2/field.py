"""Field, Repetition, Component: views on bytes, split when asked. Everything counts from 1; what is absent is empty, never an error."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.formats.hl7v2.encoding import NULL, Encoding


def first(raw: bytes, encoding: Encoding) -> bytes:
    """The first sub-component of the first component of a repetition."""
    for delimiter in (encoding.component, encoding.subcomponent):
        if delimiter:
            raw = raw.partition(delimiter)[0]
    return raw


class Component:
    """One component; as text it is its first sub-component (§2.8: a reader ignores what it does not know of)."""

    __slots__ = ("encoding", "slim")

    def __init__(self, raw: bytes, encoding: Encoding) -> None:
        self.slim = raw
        self.encoding = encoding

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.encoding.whole(self.slim)

    def __getitem__(self, number: int) -> str:
        """The text of a sub-component."""
        parts = self.encoding.split(self.slim, self.encoding.subcomponent)
        return self.encoding.text(parts[number - 1]) if 0 < number <= len(parts) else ""

    def __iter__(self) -> Iterator[str]:
        return (self.encoding.text(part) for part in self.encoding.split(self.slim, self.encoding.subcomponent))

    def __str__(self) -> str:
        return self[1]

    def __bool__(self) -> bool:
        return bool(self.slim)

    @property
    def is_null(self) -> bool:
        return self.slim == NULL


class Repetition:
    """One repetition of a field; as text it is the first component."""

    __slots__ = ("encoding", "slim")

    def __init__(self, raw: bytes, encoding: Encoding) -> None:
        self.slim = raw
        self.encoding = encoding

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.encoding.whole(self.slim)

    def __getitem__(self, number: int) -> Component:
        parts = self.encoding.split(self.slim, self.encoding.component)
        return Component(parts[number - 1] if 0 < number <= len(parts) else b"", self.encoding)

    def __iter__(self) -> Iterator[Component]:
        return (Component(part, self.encoding) for part in self.encoding.split(self.slim, self.encoding.component))

    def __str__(self) -> str:
        return self[1][1]

    def __bool__(self) -> bool:
        return bool(self.slim)

    @property
    def text(self) -> str:
        """All of it as one text, delimiters included: for narrative whose sender did not escape."""
        return self.encoding.text(self.slim)

    @property
    def is_null(self) -> bool:
        return self.slim == NULL


class Field:
    """One field; as text it is the first component of its first repetition."""

    __slots__ = ("encoding", "slim")

    def __init__(self, raw: bytes, encoding: Encoding) -> None:
        self.slim = raw
        self.encoding = encoding

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.encoding.whole(self.slim)

    @property
    def repetitions(self) -> tuple[Repetition, ...]:
        """All repetitions; none where the field is absent."""
        if not self.slim:
            return ()
        return tuple(Repetition(part, self.encoding) for part in self.encoding.split(self.slim, self.encoding.repetition))

    def __getitem__(self, number: int) -> Repetition:
        found = self.repetitions
        return found[number - 1] if 0 < number <= len(found) else Repetition(b"", self.encoding)

    def __iter__(self) -> Iterator[Repetition]:
        return iter(self.repetitions)

    def __len__(self) -> int:
        return len(self.repetitions)

    def __str__(self) -> str:
        return str(self[1])

    def __bool__(self) -> bool:
        return bool(self.slim)

    @property
    def text(self) -> str:
        """All of it as one text; repetitions are lines, as type TX has it (§2.A.79)."""
        return "\n".join(repetition.text for repetition in self.repetitions)

    @property
    def is_null(self) -> bool:
        return self.slim == NULL
