"""Writing fresh entries as a run, and making one run of several: steps for the writer, each short and each one transaction.

What is read for a merge never changes, so it is read and cut by a reader's thread; the writer only inserts. Runs are looked into
until the run that they become is whole; that takes over in the transaction in which they go. Killed anywhere, a merge goes on where
it was at the next start.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from isthmus.journals.sqlite.locating import IDENTIFIERS, IDS
from isthmus.journals.sqlite.locator import FANOUT, FANOUT_BITS, FIRST_BITS, KEY, merged, merged_without_common, prints, seq_of
from isthmus.journals.sqlite.session import Row, Session
from isthmus.journals.sqlite.sieve import SIEVED

SLICE = 4
"""Pages of each source that are merged in one step: some two thousand entries."""
DROPPED = 128
"""Pages that are dropped in one step."""


class Merge(Struct):
    """Sources of one size that become one run."""

    number: int
    family: int
    bits: int
    sources: list[int]
    done: int = 0
    """Pages of each source that are merged."""
    prints: list[bytes] | None = None

    @property
    def source_bits(self) -> int:
        return self.bits - FANOUT_BITS

    @property
    def finished(self) -> bool:
        return self.done >= 1 << self.source_bits


class Step(Struct):
    """What the writer inserts."""

    until: int
    pages: list[Row] = field(default_factory=list)
    common: list[Row] = field(default_factory=list)
    prints: list[bytes] = field(default_factory=list)


def write_fresh(session: Session) -> None:
    """All that is fresh becomes a run of each family."""
    for family, fresh in ((IDS, session.fresh.ids), (IDENTIFIERS, session.fresh.identifiers)):
        pages = fresh.pages()
        if not pages:
            continue
        number = _new_run(session, family, FIRST_BITS, "whole")
        session.many("keep_page", [(number << 32 | page, entries) for page, entries in pages])
        found = [b""] * (1 << FIRST_BITS)
        for page, entries in pages:
            found[page] = prints(entries)
        session.sieves[family].add((number, FIRST_BITS), found)
        fresh.written()
    session.run("drop_fresh")


def _new_run(session: Session, family: int, bits: int, state: str) -> int:
    row = session.row("keep_run", family, bits, state)
    assert row is not None  # noqa: S101 - RETURNING always returns
    number: int = row[0]
    return number


def enough(session: Session) -> list[tuple[int, int]]:
    """Families and sizes of which there are enough runs for a merge."""
    found = Counter((family, bits) for family, bits, _ in session.rows("free_runs"))
    return [size for size, runs in found.items() if runs >= FANOUT]


def begin(session: Session, family: int, bits: int) -> Merge | None:
    """The next merge of runs of this size, if there are enough of them."""
    free = [number for of, size, number in session.rows("free_runs") if (of, size) == (family, bits)][:FANOUT]
    if len(free) < FANOUT:
        return None
    into = bits + FANOUT_BITS
    number = _new_run(session, family, into, "growing")
    session.many("bequeath", [(number, one) for one in free])
    return Merge(number, family, into, free, prints=[] if into <= SIEVED[family] else None)


def under_way(session: Session) -> list[Merge]:
    """Merges that were cut short by the end of a process."""
    found: dict[int, Merge] = {}
    for number, family, bits, done, source in session.rows("growing_runs"):
        found.setdefault(number, Merge(number, family, bits, [], done)).sources.append(source)
    return list(found.values())


def next_step(session: Session, merge: Merge) -> Step:
    """For a reader."""
    first = merge.done
    until = min(first + SLICE, 1 << merge.source_bits)
    sources: list[list[bytes]] = [[] for _ in range(first, until)]
    for number in merge.sources:
        base = number << 32
        for place, entries in session.rows("pages_of", base | first, base | (until - 1)):
            sources[place - base - first].append(entries)
    step = Step(until)
    base = merge.number << 32
    for page, entries_of_sources in enumerate(sources, start=first):
        if merge.family == IDS:
            pages = merged(entries_of_sources, merge.source_bits)
        else:
            pages, common = merged_without_common(entries_of_sources, merge.source_bits)
            step.common += [(one[:KEY], seq_of(one)) for one in common]
        step.pages += [(base | page << FANOUT_BITS | part, entries) for part, entries in enumerate(pages) if entries]
        if merge.prints is not None:
            step.prints += [prints(entries) for entries in pages]
    return step


def take(session: Session, merge: Merge, step: Step) -> None:
    session.many("keep_page", step.pages)
    session.many("keep_common", step.common)
    session.run("grown", step.until, merge.number)


def taken(merge: Merge, step: Step) -> None:
    """After the commit."""
    merge.done = step.until
    if merge.prints is not None:
        merge.prints += step.prints


def finish(session: Session, merge: Merge) -> None:
    """The new run takes over."""
    session.run("whole", merge.number)
    session.run("gone", merge.number)
    sieve = session.sieves[merge.family]
    sieve.drop(merge.sources)
    sieve.add((merge.number, merge.bits), merge.prints)


def gone(session: Session) -> list[tuple[int, int]]:
    """Number and bits of runs whose pages are still to be dropped."""
    return [(number, bits) for number, bits in session.rows("gone_runs")]


def drop(session: Session, number: int, bits: int, page: int) -> None:
    """Some pages of a run that is gone; with the last of them, the run."""
    last = page + DROPPED - 1
    session.run("drop_pages", number << 32 | page, number << 32 | last)
    if last >= (1 << bits) - 1:
        session.run("drop_run", number)
        for sieve in session.sieves:
            sieve.forget(number)


def read_prints(session: Session, number: int, bits: int) -> list[bytes]:
    """For a reader, after a start."""
    found = [b""] * (1 << bits)
    base = number << 32
    for place, entries in session.each("pages_of", base, base | (1 << bits) - 1):
        found[place - base] = prints(entries)
    return found
