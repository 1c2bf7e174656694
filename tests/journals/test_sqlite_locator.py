"""The index from ids and identifiers to rows: right while entries are fresh, in runs, or being merged, and after a crash in between."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from isthmus.journals.port import Query
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal, locator, merging, tidier
from isthmus.journals.sqlite.locating import all_seqs_of_id, beginning, newest
from isthmus.journals.sqlite.locator import (
    COMMON,
    Beginning,
    Fresh,
    cut,
    entry,
    id_key,
    merged,
    merged_without_common,
    prefix,
    prints,
    seqs_in,
)
from isthmus.journals.sqlite.merging import Merge
from isthmus.journals.sqlite.schema import connect, connect_to_read, migrate
from isthmus.journals.sqlite.session import LAST_SEQ, Session, nothing_known
from isthmus.journals.sqlite.sieve import Sieve
from isthmus.journals.suite.model import Walk
from isthmus.journals.suite.samples import arrival, due, message, received

RING = Keyring.ephemeral()
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
KEYS = st.binary(min_size=8, max_size=8)
SEQS = st.integers(0, LAST_SEQ)


@given(HEX, st.integers(6, 32), SEQS)
def test_an_id_is_found_by_its_beginnings(id: str, length: int, seq: int) -> None:
    fresh = Fresh()
    fresh.add([entry(id_key(id), seq)])
    assert fresh.beginning(Beginning(id[:length])) == [seq]
    first, last = Beginning(id[:length]).range
    assert first <= prefix(id_key(id)) <= last


@given(st.text(max_size=40))
def test_every_text_has_a_key(id: str) -> None:
    assert len(id_key(id)) == 8
    fresh = Fresh()
    fresh.add([entry(id_key(id), 5)])
    assert fresh.beginning(Beginning(id)) == [5] or len(id) >= 6


@given(st.lists(st.tuples(KEYS, SEQS), max_size=200), st.integers(8, 24))
def test_merging_parts_pages_and_loses_nothing(pairs: list[tuple[bytes, int]], bits: int) -> None:
    entries = [entry(b"\x17\x17\x17" + key[3:], seq) for key, seq in pairs]  # all of one page
    pages = merged([b"".join(entries[::2]), b"".join(entries[1::2])], bits)
    assert sorted(one for page in pages for one in cut(page)) == sorted(entries)
    for number, page in enumerate(pages):
        assert all(prefix(one) >> (30 - bits) & 3 == number for one in cut(page))


@given(st.lists(st.tuples(st.sampled_from([b"\x09common" + b"%d" % n for n in range(3)]), SEQS), max_size=300), st.lists(KEYS, max_size=40))
def test_keys_with_many_entries_are_told_apart(pairs: list[tuple[bytes, int]], others: list[bytes]) -> None:
    entries = [entry(key, seq) for key, seq in pairs] + [entry(b"\x09" + key[1:], 7) for key in others]
    pages, common = merged_without_common([b"".join(entries)], 8)
    assert sorted([*(one for page in pages for one in cut(page)), *common]) == sorted(entries)
    counts = {one[:8]: sum(other[:8] == one[:8] for other in entries) for one in entries}
    assert {one[:8] for one in common} == {key for key, times in counts.items() if times >= COMMON}


@given(st.lists(KEYS, unique=True, max_size=60))
def test_a_sieve_never_hides_what_is_there(keys: list[bytes]) -> None:
    page = b"".join(entry(b"\x11" + key[1:], 1) for key in keys)
    sieve = Sieve(16)
    found = [b""] * 256
    found[0x11] = prints(page)
    sieve.add((3, 8), found)
    assert all(sieve.places(b"\x11" + key[1:], sieve.runs) == [3 << 32 | 0x11] for key in keys)
    assert sieve.places(b"\x12" + bytes(7), sieve.runs) == []
    assert sieve.places(b"\x12" + bytes(7), [(3, 8), (4, 10)]) == [4 << 32 | 0x48]


def test_what_only_looks_like_a_key_is_not_taken_for_one() -> None:
    page = entry(b"abcdefgh", int.from_bytes(b"\0\0\0\0\0\0ab", "big")) + entry(b"cdefghij", 2)
    assert list(seqs_in(page, b"\0\0\0\0\0\0\0\0")) == []
    assert list(seqs_in(page + entry(b"cdefghij", 9), b"cdefghij")) == [2, 9]


# ---- against a dictionary, with everything that can happen to runs in any order


class Locating(RuleBasedStateMachine):
    """Entries are added, written, merged and dropped by steps in any order, the process ends anywhere; nothing is ever missed."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection, Path("memory"))
        self.ids: dict[str, set[int]] = {}
        self.keys: dict[bytes, set[int]] = {}
        self.merges: list[Merge] = []
        self.random = Random(1)
        self.open()

    def open(self) -> None:
        self.session = Session(self.connection, RING, *nothing_known(), writes=True)
        self.session.load()
        self.reading = Session(self.connection, RING, self.session.fresh, self.session.sieves, self.session.recent)
        self.elsewhere = Session(self.connection, RING, *nothing_known())

    def commit(self) -> None:
        self.session.flush()
        self.session.finish()
        self.session.ended()

    @rule(count=st.integers(1, 150), common=st.integers(0, 3))
    def add(self, count: int, common: int) -> None:
        for _ in range(count):
            id, seq = f"{self.random.getrandbits(128):032x}", self.session.next()
            key = b"common%02d" % common if self.random.random() < 0.3 else self.random.randbytes(8)
            self.session.index(ids=[entry(id_key(id), seq)], identifiers=[entry(key, seq)])
            self.ids.setdefault(id, set()).add(seq)
            self.keys.setdefault(key, set()).add(seq)
        self.commit()

    @rule(times=st.integers(1, 5))
    def write(self, times: int) -> None:
        for _ in range(times):
            self.add(5, times)
            merging.write_fresh(self.session)
            self.commit()
        self.begin()

    def begin(self) -> None:
        for family, bits in merging.enough(self.reading):
            merge = merging.begin(self.session, family, bits)
            self.merges += [merge] if merge else []

    @precondition(lambda self: self.merges)
    @rule(steps=st.sampled_from([1, 30, 10_000]), which=st.integers(0, 9))
    def go_on(self, steps: int, which: int) -> None:
        merge = self.merges[which % len(self.merges)]
        while steps and not merge.finished:
            step = merging.next_step(self.reading, merge)
            merging.take(self.session, merge, step)
            merging.taken(merge, step)
            steps -= 1
        if merge.finished:
            self.merges.remove(merge)
            merging.finish(self.session, merge)
            self.begin()

    @rule(pages=st.integers(0, 8))
    def drop(self, pages: int) -> None:
        for number, bits in merging.gone(self.reading):
            for page in range(0, min(pages * merging.DROPPED, 1 << bits), merging.DROPPED):
                merging.drop(self.session, number, bits, page)

    @rule()
    def killed(self) -> None:
        self.open()
        self.merges = merging.under_way(self.reading)

    @rule()
    def read_prints(self) -> None:
        for sieve in self.session.sieves:
            for number, bits in sieve.unknown():
                sieve.prints[number] = merging.read_prints(self.reading, number, bits)

    @invariant()
    def everything_is_found(self) -> None:
        self.elsewhere.load_fresh()
        for session in (self.session, self.reading, self.elsewhere):
            for id in self.random.sample(list(self.ids), min(12, len(self.ids))):
                assert set(all_seqs_of_id(session, id)) == self.ids[id]
                assert self.ids[id] <= set(beginning(session, id[:8]))
            assert all_seqs_of_id(session, f"{self.random.getrandbits(128):032x}") == []
            keys = [*self.random.sample(list(self.keys), min(6, len(self.keys))), b"common01", b"nobody's"]
            for key in keys:
                assert list(newest(session, key, LAST_SEQ)) == sorted(self.keys.get(key, ()), reverse=True)

    def teardown(self) -> None:
        self.connection.close()


TestLocating = Locating.TestCase
TestLocating.settings = settings(max_examples=12, stateful_step_count=80, deadline=None)


# ---- in a journal


@pytest.fixture
def merging_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidier, "ENOUGH", 40)


def runs(journal: SqliteJournal) -> list[int]:
    """Sizes of the runs of ids, as powers of two."""
    connection = connect_to_read(journal._path)
    found = [bits for (bits,) in connection.execute("SELECT bits FROM run WHERE family = 0 AND state = 'whole'")]
    connection.close()
    return found


@pytest.mark.usefixtures("merging_often")
@pytest.mark.parametrize("seed", range(10, 16))
async def test_a_random_walk_while_entries_move_all_the_time(tmp_path: Path, seed: int) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    walk = Walk(Random(seed), journal)
    await walk.begin()
    for n in range(300):
        await walk.step()
        if seed % 2 and n % 60 == 59:
            await journal.close()
            await journal.open()
    await walk.compare_everything()
    assert max(runs(journal)) > locator.FIRST_BITS
    await journal.close()


@pytest.mark.usefixtures("merging_often")
async def test_duplicates_are_told_while_entries_move(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    many = [message(f"A{n}") for n in range(300)]
    for start in range(0, 300, 10):
        await received(journal, *many[start : start + 10])
        answers = await journal.receive([arrival(one) for one in many[: start + 10]])
        assert all(answer.duplicate for answer in answers)
        assert len(await journal.find(Query(identifier=f"A{start}"))) == 1
    assert runs(journal)
    await journal.close()


@pytest.mark.usefixtures("merging_often")
async def test_another_process_that_only_reads_finds_fresh_and_merged(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    reading = SqliteJournal(tmp_path / "journal.sqlite", RING, read_only=True)
    await reading.open()
    for n in range(60):
        (mine,) = await due(journal, f"inv-{n}")
        found = await reading.story(mine.id[:8])
        assert found is not None
        assert await reading.delivery(mine.id) == mine
        assert len(await reading.find(Query(identifier=f"odoo.bill inv-{n}"))) == 1
    assert max(runs(journal)) > locator.FIRST_BITS
    await reading.close()
    await journal.close()


WRITE = """
import asyncio, sys
from pathlib import Path
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal, merging, tidier
from isthmus.journals.suite.samples import arrival, at, message

async def main(path, ring, start):
    tidier.ENOUGH, merging.DROPPED, merging.SLICE = 30, 3, 1  # so that nearly always something is being moved
    journal = SqliteJournal(Path(path), Keyring.load_or_create(Path(ring)))
    await journal.open()
    for n in range(int(start), 1_000_000):
        await journal.receive([arrival(message(f"A-{n:07}"))])
        print(n, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_kill_9_while_runs_are_merged_and_dropped_loses_no_entry(tmp_path: Path) -> None:
    path, ring = tmp_path / "journal.sqlite", tmp_path / "keys" / "keyring.json"
    random, last, struck = Random(7), -1, 0
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", WRITE, path, ring, str(last + 1)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(random.randint(40, 160)):
                last = int(process.stdout.readline())
            process.kill()
            last = max([last, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
        connection = connect(path)
        struck += connection.execute("SELECT count(*) FROM run WHERE state <> 'whole'").fetchone()[0] > 0
        connection.close()
    assert struck > 2  # the drill hurt: it died in the middle of a merge
    journal = SqliteJournal(path, Keyring.load_or_create(ring))
    await journal.open()
    for n in range(last + 1):
        one = message(f"A-{n:07}")
        assert [found.id for found in await journal.find(Query(identifier=one.control_id))] == [one.id]
        assert (await journal.receive([arrival(one)]))[0].duplicate
    while any(state != "whole" for state in _states(path)):
        await asyncio.sleep(0.01)
    await journal.close()


def _states(path: Path) -> set[str]:
    connection = connect_to_read(path)
    found = {state for (state,) in connection.execute("SELECT state FROM run")}
    connection.close()
    return found
