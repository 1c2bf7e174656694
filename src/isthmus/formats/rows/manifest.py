"""Manifest: what came of a whole file of rows; the last message that is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact
from typing import Literal

from msgspec import Struct

from isthmus.core.contract import Violation

MOST_REFUSALS = 1_000
"""Refused rows that a manifest lists; all are counted, by the rule that they break."""

_EXACT = Context(prec=200, traps=[Inexact])
"""Sums of numbers of up to 40 digits before and 40 behind the point: nothing is ever rounded."""


class Total(Struct, frozen=True, kw_only=True):
    """The sum of a column, exactly."""

    column: str
    all: Decimal
    """Of all rows of the file whose value is a number."""
    taken: Decimal
    """Of those that were taken."""


class Refusal(Struct, frozen=True, kw_only=True):
    """One thing for which rows were refused; tells no value."""

    row: int
    """Of the file, from 1; where several were refused together, the first."""
    where: str
    """``line 18, price``."""
    rule: str
    cure: str


class Manifest(Struct, frozen=True, kw_only=True):
    """The same file gives the same manifest, so it is kept once. The file's name is not in it: a sender may have put a patient's there,
    and the same content under another name is the same file.
    """

    kind: str
    file: str
    """SHA-256, in hexadecimal digits."""
    bytes: int
    outcome: Literal["taken", "taken-in-part", "refused"]
    """taken: every row, and what the sender declared agrees. taken-in-part: rows were refused, or what was declared does not agree.
    refused: no row was taken.
    """
    rows: int
    """Header and trailer not counted."""
    messages: int
    """That were handed over for them."""
    taken: int
    """Rows."""
    refused: int
    """Rows."""
    first_line: int = 0
    """Of the first row; 0: there is none."""
    last_line: int = 0
    totals: tuple[Total, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """The first thousand."""
    rules: dict[str, int] = {}
    """Refused rows by the first rule that they break."""
    flaws: tuple[Violation, ...] = ()
    """What is wrong with the file as a whole: its header, its trailer, counts and totals that do not agree."""


def add(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.add(one, other)


class Accounts:
    """What became of the rows of one file, as the answers come in."""

    def __init__(self, totals: Sequence[str]) -> None:
        self.messages = self.taken = self.refused = 0
        self._totals = dict.fromkeys(totals, Decimal(0))
        self._refusals: list[Refusal] = []
        self._rules: Counter[str] = Counter()

    def take(self, rows: int, sums: Sequence[Decimal]) -> None:
        self.messages += 1
        self.taken += rows
        for column, value in zip(self._totals, sums, strict=True):
            self._totals[column] = add(self._totals[column], value)

    def refuse(self, row: int, rows: int, line: int, violations: Sequence[Violation]) -> None:
        self.messages += 1
        self.refused += rows
        errors = [one for one in violations if one.severity == "error"] or [Violation("", "refused", "the journal tells why")]
        self._rules[errors[0].rule] += rows
        for one in errors:
            if len(self._refusals) < MOST_REFUSALS:
                self._refusals.append(Refusal(row=row, where=one.where or f"line {line}", rule=one.rule, cure=one.cure))

    def withhold(self, rows: int) -> None:
        """None of the file's rows is taken: those that are bad were told by ``refuse``, all others are refused for their sake."""
        if rows > self.refused:
            self._rules["all-or-nothing"] += rows - self.refused
        self.messages, self.refused = 0, rows

    def manifest(
        self,
        *,
        kind: str,
        file: str,
        size: int,
        rows: int,
        lines: tuple[int, int],
        totals: Mapping[str, Decimal],
        flaws: Sequence[Violation],
    ) -> Manifest:
        """``totals``: of all rows; ``lines``: of the first and the last row."""
        outcome: Literal["taken", "taken-in-part", "refused"] = "taken"
        if self.refused or flaws:
            outcome = "taken-in-part" if self.taken else "refused"
        return Manifest(
            kind=kind,
            file=file,
            bytes=size,
            outcome=outcome,
            rows=rows,
            messages=self.messages,
            taken=self.taken,
            refused=self.refused,
            first_line=lines[0],
            last_line=lines[1],
            totals=tuple(Total(column=column, all=totals[column], taken=taken) for column, taken in self._totals.items()),
            refusals=tuple(sorted(self._refusals, key=lambda one: one.row)),
            rules=dict(sorted(self._rules.items())),
            flaws=tuple(flaws),
        )
