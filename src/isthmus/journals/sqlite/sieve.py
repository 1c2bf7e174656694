"""What the writer knows of the runs of ids, so that it need not look into them for an id that is new: two bytes an entry, in memory.

Every message and delivery is looked for before it is kept, and nearly always it is not there. The sieve says so in about a
microsecond, with one wrong "perhaps" in some hundred; without it each run would cost a row to read.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from isthmus.journals.sqlite.locator import prefix

SIEVED_BITS = 16
"""Runs of more pages (some seven million entries) are asked directly: there are few, and memory stays bounded to some 70 MB."""


class Run(Struct):
    number: int
    bits: int
    prints: list[bytes] | None = None
    """Of each page; None while they are not known: then the page itself is asked."""


class Sieve:
    """Only the writer's thread changes it; prints that were read aside are put in as a whole."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}

    def load(self, rows: Iterable[tuple[int, int]]) -> None:
        """Number and bits of all whole runs; prints of those known before are kept."""
        self.runs = {number: self.runs.get(number) or Run(number, bits) for number, bits in rows}

    def unknown(self) -> list[Run]:
        """Runs of which the prints should be read."""
        return [run for run in self.runs.values() if run.prints is None and run.bits <= SIEVED_BITS]

    def places(self, key: bytes) -> list[int]:
        """Pages that may hold this key."""
        bits, mark = prefix(key), key[4:6]
        found: list[int] = []
        for run in self.runs.values():
            page = bits >> (32 - run.bits)
            if run.prints is None or _holds(run.prints[page], mark):
                found.append(run.number << 32 | page)
        return found


def _holds(prints: bytes, mark: bytes) -> bool:
    at = prints.find(mark)
    while at > 0 and at & 1:
        at = prints.find(mark, at + 1)
    return at >= 0
