"""Rules: what a conformance profile says of one place (HL7 v2 chapter 2B: usage, cardinality, length, table)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Usage = Literal["R", "RE", "O", "X"]
"""required · required but may be empty · optional · not supported: must not be sent."""

Type = Literal["", "NM", "SI", "DT", "TM", "DTM", "TS", "ID", "IS", "ST", "TX", "FT", "OBX-2"]
"""Primitive types whose form is checked; ``OBX-2``: the type that OBX-2 of the same segment names."""


class Rule(Struct, frozen=True, kw_only=True):
    """What holds at one place. Build it with :func:`rule`."""

    place: str
    """A segment (``PV1``: how often it stands), a field (``PID-3``) or a component (``PID-3.1``: in every repetition)."""
    usage: Usage = "O"
    min: int = 0
    max: int = 0
    """How many segments, or repetitions of the field, at most; 0: any number."""
    type: Type = ""
    length: int = 0
    """Characters at most; 0: any number."""
    codes: frozenset[str] = frozenset()
    """The only values that are allowed; empty: any."""
    table: str = ""
    """Name of the table that ``codes`` come from, for the cure: ``HL70001``."""
    only: tuple[str, ...] = ()
    """The rule holds for these kinds of message only; empty: for all."""
    severity: Literal["", "error", "warning"] = ""
    """Empty: by rule; ``required`` and ``cardinality`` are errors, ``type``, ``length`` and ``code-set`` warnings, for real feeds
    break these every day and are understood all the same."""


def rule(
    place: str,
    *,
    usage: Usage = "O",
    min: int = 0,
    max: int = 0,
    type: Type = "",
    length: int = 0,
    codes: Iterable[str] = (),
    table: str = "",
    only: Iterable[str] = (),
    severity: Literal["", "error", "warning"] = "",
) -> Rule:
    """A rule, from any iterables: ``rule("PID-8", codes="F M O U".split(), table="HL70001")``."""
    return Rule(
        place=place,
        usage=usage,
        min=min,
        max=max,
        type=type,
        length=length,
        codes=frozenset(codes),
        table=table,
        only=tuple(only),
        severity=severity,
    )
