"""What is known of the runs without reading them: two bytes an entry, in memory.

Every message and delivery is looked for before it is kept, and nearly always it is not there. The sieve says so in about a
microsecond, with one wrong "perhaps" in some hundred; without it each run would cost a page to read. A run never changes, and no
number comes twice while the journal is open, so readers may use the sieve for whatever runs their view of the file has.
"""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.journals.sqlite.locator import Both, prefix

Run = tuple[int, int]
"""Number, and how many pages it has as a power of two."""

SIEVED = Both(ids=16, identifiers=14)
"""The largest runs of each family that are sieved; beyond, pages are asked directly: such runs are few, and memory stays bounded to
some 70 and 20 MB. Identifiers are looked for by people, ids with every message.
"""


class Sieve:
    """Of one family. Only the writer's thread changes ``runs``; ``prints`` are put in as a whole."""

    def __init__(self, most_bits: int) -> None:
        self.most_bits = most_bits
        self.runs: list[Run] = []
        """All whole runs, as the writer knows them."""
        self.prints: dict[int, list[bytes]] = {}
        """Of the pages of a run, by its number."""

    def load(self, runs: Iterable[Run]) -> None:
        self.runs = list(runs)

    def unknown(self) -> list[Run]:
        """Runs of which the prints should be read."""
        return [(number, bits) for number, bits in self.runs if number not in self.prints and bits <= self.most_bits]

    def add(self, run: Run, prints: list[bytes] | None) -> None:
        self.runs = [*self.runs, run]
        if prints is not None:
            self.prints[run[0]] = prints

    def drop(self, numbers: Iterable[int]) -> None:
        gone = set(numbers)
        self.runs = [run for run in self.runs if run[0] not in gone]

    def forget(self, number: int) -> None:
        """A run's pages are dropped."""
        self.prints.pop(number, None)

    def places(self, key: bytes, runs: Iterable[Run]) -> list[int]:
        """Pages of these runs that may hold this key."""
        first, mark, known = prefix(key), key[4:6], self.prints
        found: list[int] = []
        for number, bits in runs:
            page = first >> (32 - bits)
            prints = known.get(number)
            if prints is None or _holds(prints[page], mark):
                found.append(number << 32 | page)
        return found


def _holds(prints: bytes, mark: bytes) -> bool:
    at = prints.find(mark)
    while at > 0 and at & 1:
        at = prints.find(mark, at + 1)
    return at >= 0
