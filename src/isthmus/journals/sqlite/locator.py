"""Ids and identifiers → the ``seq`` under which to look: an index that stays cheap however much it holds.

Ids and keyed hashes are random, so each entry of an ordinary index touches a page of its own: eight pages written for one message,
and more misses the more is kept. Therefore entries are first kept in runs (one row a commit) and in memory; when enough have come
together, they are sorted and merged into the table ``locator`` in slices. One page then takes many of them.

Looking means: in memory first, then in the table. A key is 64 bits; whoever finds a ``seq`` looks at the row before believing it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

ENOUGH = 60_000
"""Entries in memory from which on a merge is worth it."""
SLICE = 3_000
"""Entries merged in one operation of the writer: some milliseconds."""

_SIGN = 1 << 63
_WHOLE = 1 << 64
_DIGITS = 16

Entry = tuple[int, int]


def id_key(id: str) -> int:
    """The first 16 hexadecimal digits of an id; ids of other forms are hashed."""
    try:
        key = int(id[:_DIGITS], 16)
    except ValueError:
        return token_key(blake2b(id.encode(), digest_size=8).digest())
    return key - _WHOLE if key >= _SIGN else key


def token_key(token: bytes) -> int:
    return int.from_bytes(token[:8], "big", signed=True)


def prefix_keys(prefix: str) -> tuple[int, int]:
    """First and last key of the ids that begin like this."""
    try:
        int(prefix[:_DIGITS], 16)
    except ValueError:
        return id_key(prefix), id_key(prefix)
    return id_key(prefix[:_DIGITS].ljust(_DIGITS, "0")), id_key(prefix[:_DIGITS].ljust(_DIGITS, "f"))


def packed(entries: list[Entry]) -> bytes:
    return array("q", [number for entry in entries for number in entry]).tobytes()


def unpacked(run: bytes) -> list[Entry]:
    numbers = array("q")
    numbers.frombytes(run)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


class Fresh:
    """The entries that are not merged yet. The writer changes it; readers of other threads look into it at any time.

    What was merged stays in memory until the next merge is done: a reader whose view of the file is older than the merge must
    still find it here.
    """

    def __init__(self) -> None:
        self._new: dict[int, tuple[int, ...]] = {}
        self._merged: dict[int, tuple[int, ...]] = {}

    @property
    def count(self) -> int:
        """Keys that wait for a merge."""
        return len(self._new)

    def load(self, runs: list[bytes]) -> None:
        """After opening, and after a transaction that was taken back."""
        fresh: dict[int, tuple[int, ...]] = {}
        for run in runs:
            for key, seq in unpacked(run):
                fresh[key] = (*fresh.get(key, ()), seq)
        self._new = fresh

    def add(self, entries: list[Entry]) -> None:
        new = self._new
        for key, seq in entries:
            new[key] = (*new[key], seq) if key in new else (seq,)

    def find(self, keys: Iterable[int]) -> tuple[list[int], list[int]]:
        """What stands under these keys, and the keys under which nothing does."""
        new, merged = self._new, self._merged
        found: list[int] = []
        missing: list[int] = []
        for key in keys:
            if (seqs := new.get(key)) is not None or (seqs := merged.get(key)) is not None:
                found += seqs
            else:
                missing.append(key)
        return found, missing

    def all(self, key: int) -> list[int]:
        return [*self._new.get(key, ()), *self._merged.get(key, ())]

    def between(self, first: int, last: int) -> list[int]:
        return [seq for keys in (self._new, self._merged) for key in list(keys) if first <= key <= last for seq in keys.get(key, ())]

    def sorted(self) -> list[Entry]:
        """What is to be merged, in the order of the table."""
        return sorted((key, seq) for key, seqs in self._new.items() for seq in seqs)

    def merged(self, runs: list[bytes]) -> None:
        """All of ``sorted`` is in the table; these runs have come since."""
        self._merged = self._new
        self.load(runs)
