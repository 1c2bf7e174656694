"""Large bodies lie in chunks: read whole, in pieces, pruned, and never mixed up."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from isthmus.core.failure import Rejected
from isthmus.core.message import Message
from isthmus.journals.port import Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sealing.chunks import CHUNK
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.sqlite.session import Session
from isthmus.journals.suite.samples import ADT, START, at, message, received

RING = Keyring.ephemeral()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    made = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def large(journal: SqliteJournal) -> Message:
    one = message("A1", body=os.urandom(CHUNK) * 9 + b"the end")
    await received(journal, one)
    return one


def rows(tmp_path: Path, sql: str) -> list[tuple[int, ...]]:
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    found = connection.execute(sql).fetchall()
    connection.commit()
    connection.close()
    return found


async def test_it_comes_back_whole_from_its_chunks(journal: SqliteJournal, large: Message, tmp_path: Path) -> None:
    assert rows(tmp_path, "SELECT count(*), max(length(sealed)) < 1100000 FROM chunk") == [(10, 1)]
    assert await journal.message(large.id) == large
    assert list(await journal.untranslated(5)) == [large]


async def test_a_piece_reads_its_chunks_only(journal: SqliteJournal, large: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    each = Session.each

    def noted(self: Session, name: str, *values: object) -> object:
        asked.append(values[1:])
        return each(self, name, *values)

    monkeypatch.setattr(Session, "each", noted)
    assert await journal.piece(large.id, 3 * CHUNK - 5, 10) == large.body[3 * CHUNK - 5 : 3 * CHUNK + 5]
    assert asked == [(2, 4)]


async def test_pruning_takes_the_chunks_too(journal: SqliteJournal, large: Message, tmp_path: Path) -> None:
    await journal.translated([Translated(message_id=large.id)], START)
    pruned = await journal.prune(ADT, at(1_000), at(2_000))
    assert (pruned.messages, pruned.bytes_freed > 9 * CHUNK) == (1, True)
    assert rows(tmp_path, "SELECT count(*) FROM chunk") == [(0,)]
    assert await journal.size() < 2 * CHUNK
    assert await journal.piece(large.id, 0, 10) == b""


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM chunk WHERE number = 9",
        "DELETE FROM chunk WHERE number = 4",
        "UPDATE chunk SET number = CASE number WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE number IN (2, 3); UPDATE chunk SET number = -number WHERE number < 0",
        "UPDATE message SET size = 5242880; DELETE FROM chunk WHERE number > 4",
    ],
    ids=["cut", "left out", "swapped", "shortened with its size"],
)
async def test_what_was_tampered_with_does_not_open(journal: SqliteJournal, large: Message, tmp_path: Path, harm: str) -> None:
    for statement in harm.split(";"):
        rows(tmp_path, statement)
    with pytest.raises(Rejected, match="sealed-damaged"):
        await journal.message(large.id)
