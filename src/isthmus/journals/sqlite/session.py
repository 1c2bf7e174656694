"""What an operation works with: named statements on one connection, the key ring, numbers and counters."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from isthmus.core.failure import Bug
from isthmus.journals.rules import Noun
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.records import StepRecord, seal_step

Row = tuple[Any, ...]

_SHELF = 44
"""Bits below the shelf's number in the place of a body."""


class Session:
    """For reading it is used as it is; the writer adds :meth:`load`, :meth:`flush` and :meth:`finish`."""

    def __init__(self, connection: sqlite3.Connection, sql: dict[str, str], keyring: Keyring) -> None:
        self.connection = connection
        self.keyring = keyring
        self._sql = sql
        self._counts: Counter[tuple[Noun, str, str]] = Counter()
        self._last = 0
        self._shelves: dict[str, int] = {}
        self._steps: list[Row] = []

    # ---- statements

    def rows(self, name: str, *values: object) -> list[Row]:
        return self.connection.execute(self._sql[name], values).fetchall()

    def rows_named(self, name: str, values: dict[str, object]) -> list[Row]:
        return self.connection.execute(self._sql[name], values).fetchall()

    def row(self, name: str, *values: object) -> Row | None:
        found: Row | None = self.connection.execute(self._sql[name], values).fetchone()
        return found

    def run(self, name: str, *values: object) -> None:
        self.connection.execute(self._sql[name], values)

    def run_named(self, name: str, values: dict[str, object]) -> None:
        self.connection.execute(self._sql[name], values)

    def many(self, name: str, rows: Sequence[Row] | Sequence[dict[str, object]]) -> None:
        if rows:
            self.connection.executemany(self._sql[name], rows)

    # ---- what the writer keeps between transactions

    def load(self) -> None:
        """Read numbers and shelves anew: at the start, and after an operation that failed and was taken back."""
        self._last = max(self._last, (self.row("last_seq") or (0,))[0])  # a number is never given twice
        self._shelves = dict(self.rows("shelves"))
        self.forget()

    def forget(self) -> None:
        self._counts.clear()
        self._steps.clear()

    def next(self) -> int:
        self._last += 1
        return self._last

    def shelf(self, interface: str) -> int:
        number = self._shelves.get(interface)
        if number is None:
            number = self._shelves[interface] = len(self._shelves) + 1
            self.run("keep_shelf", number, interface)
        return number

    def count(self, noun: Noun, name: str, state: str, by: int = 1) -> None:
        self._counts[noun, name, state] += by

    def step(self, message: int, subject: int, at: datetime, stage: str, record: StepRecord | None = None) -> None:
        seq = self.next()
        sealed = seal_step(self.keyring, seq, record) if record is not None else None
        self._steps.append((message, seq, subject, micros(at), stage, sealed))

    def flush(self) -> None:
        """Write the steps and counts of one operation."""
        self.many("keep_step", self._steps)
        self.many("count", [(*key, count) for key, count in self._counts.items() if count])
        self.forget()

    def finish(self) -> None:
        """The last write of a transaction."""
        self.run("keep_last_seq", self._last)


def place(shelf: int, seq: int) -> int:
    """Where a body lies."""
    return shelf << _SHELF | seq


def micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def moment_or_none(micros: int | None) -> datetime | None:
    return None if micros is None else moment(micros)


def listed(values: Iterable[object]) -> str:
    """For ``json_each(?)``: many values as one parameter of a prepared statement."""
    return msgspec.json.encode(list(values)).decode()


def unknown(noun: str, id: str) -> Bug:
    return Bug(f"unknown-{noun}", f"the journal holds no {noun} {id}")
