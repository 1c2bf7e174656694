"""Ids and identifiers → the ``seq`` under which to look: an index that stays cheap however much it holds.

Ids and keyed hashes are random, so each entry of an ordinary index touches a page of its own: eight pages written for one message, and
more misses the more is kept. Therefore entries are gathered and written together, as in a log-structured merge tree:

    fresh ── when enough ──► runs of 2^8 pages ── four at a time ──► runs of 2^10 pages ── four at a time ──► 2^12 …

An entry is ``key (8 bytes) · seq (8)``. Fresh entries lie in memory, and in one row a commit for the next start. A run is a table of
pages, and the first bits of a key are the number of its page, so that finding takes one row of each run, and merging needs no
sorting over the whole: a page of four runs becomes four pages of the next. Each entry is written again once a level, in large
pieces, and levels grow with the logarithm of what is kept.

A key is 64 bits; whoever finds a ``seq`` looks at the row before believing it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

from isthmus.journals.rules import SHORTEST_PREFIX

KEY, ENTRY = 8, 16
FIRST_BITS = 8
"""Pages of the smallest runs, as a power of two: as many as the first byte of a key has values."""
FANOUT_BITS = 2
FANOUT = 1 << FANOUT_BITS
"""So many runs of one size become one of the next."""
COMMON = 32
"""Entries of one identifier in one page from which on they move to a table where they lie side by side."""

_DIGITS = 2 * KEY


T = TypeVar("T")


class Both(NamedTuple, Generic[T]):
    """Ids of messages, events and deliveries are kept apart from identifiers, for they are looked for all the time."""

    ids: T
    identifiers: T


def id_key(id: str) -> bytes:
    """The first 16 hexadecimal digits of an id; ids of other forms are hashed."""
    try:
        key = bytes.fromhex(id[:_DIGITS])
    except ValueError:
        key = b""
    return key if len(key) == KEY else blake2b(id.encode(), digest_size=KEY).digest()


def token_key(token: bytes) -> bytes:
    return token[:KEY]


def entry(key: bytes, seq: int) -> bytes:
    return key + seq.to_bytes(ENTRY - KEY, "big")


def cut(entries: bytes) -> list[bytes]:
    return [entries[at : at + ENTRY] for at in range(0, len(entries), ENTRY)]


def seq_of(entry: bytes) -> int:
    return int.from_bytes(entry[KEY:], "big")


def prefix(key: bytes) -> int:
    """The 32 bits of a key from which its pages' numbers are taken."""
    return int.from_bytes(key[:4], "big")


def seqs_in(entries: bytes, key: bytes) -> Iterator[int]:
    """What stands under a key in a page."""
    at = entries.find(key)
    while at >= 0:
        if at % ENTRY == 0:
            yield int.from_bytes(entries[at + KEY : at + ENTRY], "big")
        at = entries.find(key, at + 1)


class Beginning:
    """Keys of the ids that begin in a certain way."""

    def __init__(self, id: str) -> None:
        try:
            int(id[:_DIGITS], 16)
            self._digits = id[:_DIGITS].lower() if len(id) >= SHORTEST_PREFIX else id_key(id).hex()
        except ValueError:
            self._digits = id_key(id).hex()
        self._bytes = bytes.fromhex(self._digits[: len(self._digits) // 2 * 2])

    @property
    def range(self) -> tuple[int, int]:
        """First and last of the 32 bits of its keys."""
        return int(self._digits[:8].ljust(8, "0"), 16), int(self._digits[:8].ljust(8, "f"), 16)

    def seqs_in(self, entries: bytes) -> Iterator[int]:
        at = entries.find(self._bytes)
        while at >= 0:
            if at % ENTRY == 0 and entries[at : at + KEY].hex().startswith(self._digits):
                yield int.from_bytes(entries[at + KEY : at + ENTRY], "big")
            at = entries.find(self._bytes, at + 1)


class Fresh:
    """The entries that are in no run yet. The writer changes it; readers of other threads look into it at any time.

    What was written as a run stays here until the next run is: a reader whose view of the file is older must still find it here.
    """

    def __init__(self) -> None:
        self._new = _Entries()
        self._written = _Entries()

    @property
    def count(self) -> int:
        return self._new.count

    def load(self, entries: Iterable[bytes]) -> None:
        """After opening, and after a transaction that was taken back."""
        new = _Entries()
        for some in entries:
            new.add(cut(some))
        self._new = new

    def add(self, entries: Sequence[bytes]) -> None:
        self._new.add(entries)

    def find(self, key: bytes) -> list[int]:
        return self._new.find(key) + self._written.find(key)

    def beginning(self, wanted: Beginning) -> list[int]:
        first, last = (bits >> 24 for bits in wanted.range)
        pages = [page for entries in (self._new, self._written) for page in entries.pages[first : last + 1]]
        return [seq for page in pages for seq in wanted.seqs_in(b"".join(page))]

    def pages(self) -> list[tuple[int, bytes]]:
        """What is to be written as a run."""
        return [(number, b"".join(page)) for number, page in enumerate(self._new.pages) if page]

    def written(self) -> None:
        """All of ``pages`` is in a run."""
        self._new, self._written = _Entries(), self._new


class _Entries:
    def __init__(self) -> None:
        self.pages: list[list[bytes]] = [[] for _ in range(1 << FIRST_BITS)]
        self.count = 0
        self._first: dict[bytes, bytes] = {}
        """By key, its first entry: nearly all have only one."""
        self._more: dict[bytes, list[bytes]] = {}

    def add(self, entries: Sequence[bytes]) -> None:
        first, pages = self._first, self.pages
        for one in entries:
            if first.setdefault(one[:KEY], one) is not one:
                self._more.setdefault(one[:KEY], []).append(one)
            pages[one[0]].append(one)
        self.count += len(entries)

    def find(self, key: bytes) -> list[int]:
        found = self._first.get(key)
        return [] if found is None else [seq_of(one) for one in (found, *self._more.get(key, ()))]


def merged(pages: Iterable[bytes], bits: int) -> list[bytes]:
    """The same page of several runs of 2^``bits`` pages → their pages in the run that they become."""
    return _parted(sorted(cut(b"".join(pages))), bits)


def merged_without_common(pages: Iterable[bytes], bits: int) -> tuple[list[bytes], list[bytes]]:
    """Like :meth:`merged`, and apart from them the entries of keys that have many."""
    entries = sorted(cut(b"".join(pages)))
    common: list[bytes] = []
    half = COMMON // 2  # of so many in a row, two that are half as far apart are seen
    for key in {entries[at][:KEY] for at in range(0, len(entries) - half, half) if entries[at][:KEY] == entries[at + half][:KEY]}:
        first, end = bisect_left(entries, key), bisect_right(entries, key + b"\xff" * 8)
        if end - first >= COMMON:
            common += entries[first:end]
            del entries[first:end]
    return _parted(entries, bits), common


def _parted(entries: list[bytes], bits: int) -> list[bytes]:
    shift = 32 - bits - FANOUT_BITS
    ends = [bisect_left(entries, number, key=lambda one: prefix(one) >> shift & (FANOUT - 1)) for number in range(1, FANOUT)]
    return [b"".join(entries[first:end]) for first, end in zip((0, *ends), (*ends, len(entries)), strict=True)]


def prints(entries: bytes) -> bytes:
    """Two bytes of each key in a page, from behind those that choose the page: enough to tell that a key is surely not in it."""
    found = bytearray(len(entries) // ENTRY * 2)
    found[0::2] = entries[4::ENTRY]
    found[1::2] = entries[5::ENTRY]
    return bytes(found)
