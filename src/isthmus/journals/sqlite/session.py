"""What an operation works with: named statements on one connection, the key ring, numbers and counters."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from isthmus.core.failure import Bug
from isthmus.journals.rules import Noun
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.locator import Both, Fresh
from isthmus.journals.sqlite.recent import Recents, nothing_recent
from isthmus.journals.sqlite.records import StepRecord, seal_step
from isthmus.journals.sqlite.sieve import SIEVED, Sieve
from isthmus.journals.sqlite.statements import statements

Row = tuple[Any, ...]

_SHELF = 44
"""Bits below the shelf's number in the place of a body."""
LAST_SEQ = (1 << _SHELF) - 1


class Listener(NamedTuple):
    types: frozenset[str]
    lane: int


class Session:
    """For reading it is used as it is; the writer adds :meth:`load`, :meth:`flush` and :meth:`finish`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keyring: Keyring,
        fresh: Both[Fresh],
        sieves: Both[Sieve],
        recent: Recents,
        *,
        writes: bool = False,
    ) -> None:
        self.connection = connection
        self.keyring = keyring
        self.fresh = fresh
        self.sieves = sieves
        self.recent = recent
        self.writes = writes
        """It is the writer's, and so knows all runs."""
        self._sql = statements()
        self._counts: dict[tuple[Noun, str, str], int] = {}
        self._last = self._saved = 0
        self._shelves: dict[str, int] = {}
        self.listeners: dict[str, Listener] = {}
        """Subscriptions by name, as the writer knows them."""
        self._steps: list[Row] = []
        self._entries = Both[list[bytes]]([], [])
        self._run = Both[list[bytes]]([], [])

    # ---- statements

    def rows(self, name: str, *values: object) -> list[Row]:
        return self.connection.execute(self._sql[name], values).fetchall()

    def each(self, name: str, *values: object) -> Iterator[Row]:
        """One row after the other, read when it is asked for; the statement ends with the iterator."""
        cursor = self.connection.execute(self._sql[name], values)
        try:
            yield from cursor
        finally:
            cursor.close()

    def rows_named(self, name: str, values: dict[str, object]) -> list[Row]:
        return self.connection.execute(self._sql[name], values).fetchall()

    def row(self, name: str, *values: object) -> Row | None:
        found: Row | None = self.connection.execute(self._sql[name], values).fetchone()
        return found

    def the_row(self, name: str, *values: object) -> Row:
        """The row that is there for sure."""
        found = self.row(name, *values)
        if found is None:
            raise Bug(
                "journal-row", f"the journal lacks a row that {name} asked for: its file was changed by hand, or this is a bug of ours"
            )
        return found

    def run(self, name: str, *values: object) -> None:
        self.connection.execute(self._sql[name], values)

    def run_named(self, name: str, values: dict[str, object]) -> None:
        self.connection.execute(self._sql[name], values)

    def many(self, name: str, rows: Sequence[Row] | Sequence[dict[str, object]]) -> None:
        if rows:
            self.connection.executemany(self._sql[name], rows)

    def index(self, *, ids: list[bytes] | None = None, identifiers: list[bytes] | None = None) -> None:
        """Entries of the locator: under their keys their rows are found from now on."""
        if ids:
            self.fresh.ids.add(ids)
            self._entries.ids.extend(ids)
        if identifiers:
            self.fresh.identifiers.add(identifiers)
            self._entries.identifiers.extend(identifiers)

    # ---- what the writer keeps between transactions

    def load(self) -> None:
        """Read numbers and shelves anew: at the start, and after an operation that failed and was taken back."""
        self._saved = (self.row("last_seq") or (0,))[0]
        self._last = max(self._last, self._saved)  # a number is never given twice
        self._shelves = dict(self.rows("shelves"))
        self.listeners = {name: Listener(frozenset(msgspec.json.decode(types)), lane) for name, types, lane in self.rows("listeners")}
        for family, sieve in enumerate(self.sieves):
            sieve.load(self.rows("whole_runs", family))
        self.load_fresh()
        self.forget()

    def load_fresh(self) -> None:
        rows = self.rows("fresh")
        self.fresh.ids.load(ids for ids, _ in rows)
        self.fresh.identifiers.load(identifiers for _, identifiers in rows)
        self.fresh.ids.add(self._run.ids)
        self.fresh.identifiers.add(self._run.identifiers)

    def forget(self) -> None:
        self._counts.clear()
        self._steps.clear()
        self._entries.ids.clear()
        self._entries.identifiers.clear()

    def next(self) -> int:
        self._last += 1
        return self._last

    def shelf(self, interface: str) -> int:
        number = self._shelves.get(interface)
        if number is None:
            number = self._shelves[interface] = len(self._shelves) + 1
            self.run("keep_shelf", number, interface)
        return number

    def count_all(self, noun: Noun, states: Iterable[tuple[str, str]], by: int = 1) -> None:
        """Like :meth:`count`, for many: name and state of each."""
        for (name, state), times in Counter(states).items():
            self.count(noun, name, state, by * times)

    def count(self, noun: Noun, name: str, state: str, by: int = 1) -> None:
        key = (noun, name, state)
        self._counts[key] = self._counts.get(key, 0) + by

    def step(self, message: int, subject: int, at: datetime, stage: str, record: StepRecord | None = None) -> None:
        seq = self.next()
        sealed = seal_step(self.keyring, seq, record) if record is not None else None
        self._steps.append((message, seq, subject, micros(at), stage, sealed))

    def flush(self) -> None:
        """Write the steps and counts of one operation."""
        self.many("keep_step", self._steps)
        self.many("count", [(*key, count) for key, count in self._counts.items() if count])
        self._run.ids.extend(self._entries.ids)
        self._run.identifiers.extend(self._entries.identifiers)
        self.forget()

    def finish(self) -> None:
        """The last write of a transaction."""
        if self._run.ids or self._run.identifiers:
            self.run("keep_fresh", self.next(), b"".join(self._run.ids), b"".join(self._run.identifiers))
        if self._last != self._saved:  # a transaction that wrote nothing stays empty, and empty ones cost no sync
            self.run("keep_last_seq", self._last)
            self._saved = self._last

    def ended(self) -> None:
        """The transaction is committed, or taken back."""
        self._run = Both([], [])


Known = tuple[Both[Fresh], Both[Sieve], Recents]
"""What the writer has in memory; readers of the same process share it."""


def nothing_known() -> Known:
    return Both(Fresh(), Fresh()), Both(Sieve(SIEVED.ids), Sieve(SIEVED.identifiers)), nothing_recent()


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
