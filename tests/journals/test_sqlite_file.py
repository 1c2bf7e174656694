"""What is special to a journal in a file: one writer, group commit, migrations, the log, full disks, flat queries."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest

from isthmus.core.failure import Bug, Rejected, Transient
from isthmus.journals.port import Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal, checkpointer
from isthmus.journals.sqlite.schema import connect, connect_to_read
from isthmus.journals.sqlite.statements import statements
from isthmus.journals.suite.samples import ADT, ME, START, arrival, at, claim, due, message, received, retried

RING = Keyring.ephemeral()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "journal.sqlite"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(path, RING)
    await made.open()
    yield made
    await made.close()


async def test_the_file_is_its_owners_and_durable(journal: SqliteJournal, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert journal._opened._session.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._opened._session.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_what_arrives_during_a_commit_is_the_next_commit(journal: SqliteJournal) -> None:
    before = journal.commits
    await asyncio.gather(*(journal.receive([arrival(message(f"A{n}"))]) for n in range(200)))
    assert len(await journal.untranslated(1_000)) == 200
    assert journal.commits - before <= 10


async def test_asking_for_work_that_is_not_there_writes_nothing(journal: SqliteJournal, path: Path) -> None:
    await due(journal, "inv-1")
    assert len(await claim(journal)) == 1
    log = path.with_name("journal.sqlite-wal")
    before = log.stat().st_size
    for _ in range(10):
        assert list(await claim(journal)) == []
    assert log.stat().st_size == before


async def test_an_operation_that_fails_takes_back_only_itself(journal: SqliteJournal) -> None:
    first = message("A0", interface="before")
    await received(journal, first)
    bad = [Translated(message_id=first.id), Translated(message_id="nobody knows")]
    done = await asyncio.gather(
        journal.receive([arrival(message("A1", interface="new one"))]),
        journal.translated(bad, START),
        journal.receive([arrival(message("A2", interface="newer one"))]),
        journal.translated(bad, START),
        journal.receive([arrival(message("A3"))]),
        return_exceptions=True,
    )
    assert [isinstance(one, Bug) for one in done] == [False, True, False, True, False]
    assert [one.control_id for one in await journal.untranslated(10)] == ["A0", "A1", "A2", "A3"]
    assert await journal.backlog() == {"before": 1, "new one": 1, "newer one": 1, ADT: 1}


async def test_a_caller_that_was_cancelled_takes_nobody_with_it(journal: SqliteJournal) -> None:
    gone = asyncio.create_task(journal.receive([arrival(message("A1"))]))
    stays = asyncio.create_task(journal.receive([arrival(message("A2"))]))
    await asyncio.sleep(0)
    gone.cancel()
    assert len(await stays) == 1
    assert [one.control_id for one in await journal.untranslated(10)] == ["A1", "A2"]


async def test_closing_finishes_what_waits(path: Path) -> None:
    journal = SqliteJournal(path, RING)
    await journal.open()
    waiting = [asyncio.create_task(journal.receive([arrival(message(f"A{n}"))])) for n in range(50)]
    await asyncio.sleep(0)
    await journal.close()
    assert all(not answer.duplicate for (answer,) in await asyncio.gather(*waiting))
    with pytest.raises(Bug, match="journal-closed"):
        await journal.receive([])
    assert sorted(file.name for file in path.parent.iterdir()) == ["journal.sqlite", "journal.sqlite.lock"]


async def test_what_comes_after_the_close_is_told_so(path: Path) -> None:
    journal = SqliteJournal(path, RING)
    await journal.open()
    many = [message(f"A{n}", body=b"x" * 20_000) for n in range(400)]
    await received(journal, *many)
    await journal.translated([Translated(message_id=one.id) for one in many], START)
    pruning = asyncio.create_task(journal.prune(ADT, at(1_000), at(6_000)))
    await journal.size()
    await asyncio.sleep(0)
    await journal.close()
    with pytest.raises(Bug, match="journal-closed"):
        await asyncio.wait_for(pruning, 10)
    await journal.open()
    assert (await journal.prune(ADT, at(1_000), at(6_000))).messages > 0
    await journal.close()


async def test_a_second_journal_on_the_file_is_refused_with_the_cure(journal: SqliteJournal, path: Path) -> None:
    with pytest.raises(Rejected, match=r"journal-in-use: .* process \d+.*PostgreSQL"):
        await SqliteJournal(path, RING).open()
    code = f"""
import asyncio
from pathlib import Path
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
asyncio.run(SqliteJournal(Path({str(path)!r}), Keyring.ephemeral()).open())
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "journal-in-use" in process.stderr
    await received(journal, message("A1"))


async def test_another_ring_is_refused_with_the_cure(path: Path) -> None:
    journal = SqliteJournal(path, RING)
    await journal.open()
    await journal.close()
    with pytest.raises(Rejected, match=f"keyring-other: .*{RING.id}.*backup"):
        await SqliteJournal(path, Keyring.ephemeral()).open()
    await journal.open()  # the lock was given back
    await journal.close()


async def test_a_newer_schema_is_refused_with_the_cure(path: Path) -> None:
    journal = SqliteJournal(path, RING)
    await journal.open()
    await journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(Rejected, match=r"journal-newer: .* schema 999.*install"):
        await journal.open()


async def test_a_foreign_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(Rejected, match="journal-foreign"):
        await SqliteJournal(path, RING).open()


async def test_what_is_no_database_is_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(Rejected, match="journal-unreadable"):
        await SqliteJournal(path, RING).open()


async def test_a_full_disk_is_transient_and_nothing_half_is_kept(journal: SqliteJournal) -> None:
    await received(journal, message("A1"))
    connection = journal._opened._session.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    big = [arrival(message(f"B{n}", body=b"x" * 50_000)) for n in range(10)]
    with pytest.raises(Transient, match=r"journal-unavailable: .*disk"):
        await journal.receive(big)
    assert [one.control_id for one in await journal.untranslated(100)] == ["A1"]
    assert await journal.backlog() == {ADT: 1}
    connection.execute("PRAGMA max_page_count = 1000000")
    assert not any(answer.duplicate for answer in await journal.receive(big))
    assert len(await journal.untranslated(100)) == 11


async def test_the_log_starts_over_under_steady_writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointer, "LOG_BYTES", 1 << 20)
    journal = SqliteJournal(path, RING)
    await journal.open()
    log, largest, written = path.with_name("journal.sqlite-wal"), 0, 0
    while written < 30 << 20:
        await received(journal, *(message(f"A{written}-{n}", body=b"x" * 20_000) for n in range(20)))
        written += 400_000
        await journal.tallies()
        largest = max(largest, log.stat().st_size)
    await journal.close()
    assert largest < 10 << 20


async def test_space_really_leaves_the_file_while_others_write(journal: SqliteJournal, path: Path) -> None:
    many = [message(f"A{n}", body=bytes([n % 256]) * 20_000) for n in range(300)]
    await received(journal, *many)
    await journal.translated([Translated(message_id=one.id) for one in many], START)
    await received(journal, message("stays", received=at(5_000)))
    full = await journal.size()
    pruning = asyncio.create_task(journal.prune(ADT, at(1_000), at(6_000)))
    written = 0
    while not pruning.done():
        await received(journal, message(f"B{written}", received=at(7_000)))
        written += 1
    assert (await pruning).messages == 300
    assert path.stat().st_size < full / 3
    assert written > 0
    assert len(await journal.untranslated(100_000)) == written + 1


async def test_history_is_one_whole_file_after_closing(journal: SqliteJournal, path: Path) -> None:
    await due(journal, "inv-1")
    await journal.close()
    connection = connect_to_read(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


HOT = (
    "known_messages", "untranslated", "translating", "known_events", "known_deliveries", "upcoming", "claim", "settling", "promote", "demote",
    "held", "owned", "owners", "next_due", "pages", "pages_between", "common", "delivery_at", "find_these", "take", "drop_due", "find_by_verdict", "find_received",
    "find_by_kind", "find_by_interface", "deliveries_of_message", "lead", "steps", "answers", "count_events", "chunks", "body", "place_of_message",
)  # fmt: skip


MANY = ("known_events", "lead", "answers", "find_these")
"""Sort the few rows that they found."""


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_search_and_never_scan_what_grows(name: str, path: Path) -> None:
    """A scan is allowed only over the parameters (json_each) and, from its one end up to a limit, over what waits."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    migration = resources.files("isthmus.journals.sqlite").joinpath("migrations", "0001_journal.sql").read_text()
    connection.executescript(migration)
    sql = statements()[name]
    named = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, named or [1] * _places(sql))]
    connection.close()
    allowed = ("j", "each", "i", "r")  # of runs there are few, however much is kept
    scans = [step for step in plan if step.startswith("SCAN") and step.split()[1] not in allowed]
    assert scans == [], plan
    if name != "owners":
        assert not any(step.startswith("SCAN u") for step in plan), plan
    assert not any("TEMP B-TREE" in step and name not in MANY for step in plan), plan


def _places(sql: str) -> int:
    return max([int(number) for number in re.findall(r"\?(\d)", sql)] or [sql.count("?")])


def test_every_statement_is_used_and_can_be_prepared(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    folder = resources.files("isthmus.journals.sqlite")
    connection.executescript(folder.joinpath("migrations", "0001_journal.sql").read_text())
    code = "".join(file.read_text() for file in folder.iterdir() if file.name.endswith(".py"))
    for name, sql in statements().items():
        assert f'"{name}"' in code or name.startswith("deliveries_"), f"{name} is used nowhere"
        connection.execute("EXPLAIN " + sql, dict.fromkeys(re.findall(r":(\w+)", sql), 1) or [1] * _places(sql))
    connection.close()


def test_the_length_of_the_log_is_told_though_its_file_keeps_its_size(path: Path) -> None:
    path.parent.mkdir()
    connection = connect(path)
    log = checkpointer.LogLength(path.with_name("journal.sqlite-wal"))
    assert not log.is_beyond(1 << 20)
    connection.execute("CREATE TABLE some (body BLOB)")
    for beyond in (False, True):
        connection.execute("INSERT INTO some VALUES (zeroblob(700000))")
        assert log.is_beyond(1 << 20) == beyond
    checkpointer.copy(connection)
    assert log.is_beyond(1 << 20)
    connection.execute("INSERT INTO some VALUES (zeroblob(10))")  # starts over
    assert path.with_name("journal.sqlite-wal").stat().st_size > 1 << 20
    assert not log.is_beyond(1 << 20)
    log.close()
    connection.close()


async def test_a_retry_in_a_long_line_costs_the_same_as_in_a_short_one(journal: SqliteJournal) -> None:
    """Counted in steps of SQLite's machine, so it says the same on every computer."""
    steps: dict[int, int] = {}
    connection = journal._opened._session.connection
    for behind in (3, 400):
        await due(journal, *(f"inv-{behind}-{n}" for n in range(behind)), line=f"patient/{behind}")
        (taken,) = await claim(journal)
        counted = 0

        def count() -> None:
            nonlocal counted
            counted += 1

        connection.set_progress_handler(count, 10)
        await journal.settle([retried(taken.delivery.id, not_before=at(9_999))], ME)
        connection.set_progress_handler(None, 0)
        steps[behind] = counted
    assert steps[3] > 10
    assert steps[400] < steps[3] * 1.5
