"""The index from ids and identifiers to rows: right while entries are fresh, while they are merged, and after a crash in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.journals.port import Query
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal, tidier
from isthmus.journals.sqlite.locator import Fresh, id_key, packed, prefix_keys, unpacked
from isthmus.journals.sqlite.session import Session
from isthmus.journals.suite.model import Walk
from isthmus.journals.suite.samples import arrival, due, message, received

RING = Keyring.ephemeral()
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
NUMBER = st.integers(-(1 << 63), (1 << 63) - 1)


@given(HEX, st.integers(6, 32))
def test_an_id_lies_between_the_keys_of_its_prefixes(id: str, length: int) -> None:
    first, last = prefix_keys(id[:length])
    assert first <= id_key(id) <= last


@given(st.text(max_size=40))
def test_every_text_has_a_key_of_64_bits(id: str) -> None:
    assert -(1 << 63) <= id_key(id) < 1 << 63
    first, last = prefix_keys(id)
    assert first <= last


@given(st.lists(st.tuples(NUMBER, NUMBER)))
def test_runs_come_back_as_they_were(entries: list[tuple[int, int]]) -> None:
    assert unpacked(packed(entries)) == entries


def test_fresh_finds_what_is_new_and_what_was_merged_last() -> None:
    fresh = Fresh()
    fresh.add([(5, 1), (5, 2), (7, 3)])
    assert fresh.sorted() == [(5, 1), (5, 2), (7, 3)]
    fresh.merged([packed([(5, 9)])])
    assert fresh.find([5, 7, 8]) == ([9, 3], [8])
    assert sorted(fresh.all(5)) == [1, 2, 9]
    assert sorted(fresh.between(5, 6)) == [1, 2, 9]
    assert fresh.sorted() == [(5, 9)]


@pytest.fixture
def merging_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidier, "ENOUGH", 40)
    monkeypatch.setattr(tidier, "SLICE", 7)


def merged(journal: SqliteJournal) -> int:
    connection = journal._opened._session.connection
    (count,) = connection.execute("SELECT count(*) FROM locator").fetchone()
    return int(count)


@pytest.mark.usefixtures("merging_often")
@pytest.mark.parametrize("seed", range(10, 18))
async def test_a_random_walk_while_entries_are_merged_all_the_time(tmp_path: Path, seed: int) -> None:
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
    assert merged(journal) > 200
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
    assert merged(journal) > 0
    await journal.close()


@pytest.mark.usefixtures("merging_often")
@pytest.mark.parametrize("until", ["merge", "drop_runs"])
async def test_a_merge_that_is_cut_short_begins_anew_and_loses_nothing(tmp_path: Path, until: str, monkeypatch: pytest.MonkeyPatch) -> None:
    died = asyncio.Event()
    loop = asyncio.get_running_loop()
    run, many_at_once = Session.run, Session.many

    def dies(*_: object) -> None:
        loop.call_soon_threadsafe(died.set)
        raise asyncio.CancelledError

    calls: list[str] = []

    def run_or_die(self: Session, name: str, *values: object) -> None:
        (dies if name == until else run)(self, name, *values)

    def many_or_die(self: Session, name: str, rows: list[tuple[object, ...]]) -> None:
        calls.append(name)
        (dies if name == until and calls.count(name) > 2 else many_at_once)(self, name, rows)

    monkeypatch.setattr(Session, "run", run_or_die)
    monkeypatch.setattr(Session, "many", many_or_die)
    journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    made = [message(f"A{n}") for n in range(60)]
    await received(journal, *made)
    await asyncio.wait_for(died.wait(), 10)
    monkeypatch.setattr(Session, "run", run)
    monkeypatch.setattr(Session, "many", many_at_once)
    for again in range(2):
        answers = await journal.receive([arrival(one) for one in made])
        assert all(answer.duplicate for answer in answers)
        assert [len(await journal.find(Query(identifier=one.control_id))) for one in made] == [1] * 60
        assert await journal.story(made[7].id[:8]) is not None
        if again == 0:
            await journal.close()
            await journal.open()
    await journal.close()


@pytest.mark.usefixtures("merging_often")
async def test_another_process_that_only_reads_finds_fresh_and_merged(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    reading = SqliteJournal(tmp_path / "journal.sqlite", RING, read_only=True)
    await reading.open()
    for n in range(30):
        (mine,) = await due(journal, f"inv-{n}")
        found = await reading.story(mine.id[:8])
        assert found is not None
        assert await reading.delivery(mine.id) == mine
        assert len(await reading.find(Query(identifier=f"odoo.bill inv-{n}"))) == 1
    assert merged(journal) > 0
    await reading.close()
    await journal.close()
