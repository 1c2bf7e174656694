"""``Position.waiting`` is a counter: whatever happens, it is what counting would find."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from isthmus.journals.port import Journal, Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite.model import Walk
from isthmus.journals.suite.samples import BILL, DISCHARGED, RESULTED, START, envelope, message, received

RING = Keyring.ephemeral()
COUNTED = """
SELECT s.name, s.waiting, (
    SELECT count(*) FROM event e, json_each(s.types) t WHERE e.fed = 1 AND e.type = t.value AND e.seq > s.cursor
) FROM subscription s ORDER BY s.name
"""


@pytest.mark.parametrize("seed", range(4))
async def test_after_a_random_walk_with_reprocesses_and_prunes(tmp_path: Path, seed: int) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    walk = Walk(Random(100 + seed), journal)
    await walk.begin()
    most = 0
    for _ in range(150):
        await walk.step()
        for name, counter, counted in journal._opened._session.connection.execute(COUNTED).fetchall():
            assert counter == counted, name
            most = max(most, counted)
    assert most > 2
    await journal.close()


async def test_of_a_late_subscription_and_of_one_whose_types_change(tmp_path: Path) -> None:
    journal: Journal = SqliteJournal(tmp_path / "journal.sqlite", RING)
    await journal.open()
    for n in range(4):
        one = message(f"A{n}")
        await received(journal, one)
        kinds = (DISCHARGED, RESULTED)[: 1 + n % 2]
        made = tuple(envelope(one, f"k{n}", type=kind) for kind in kinds)
        await journal.translated([Translated(message_id=one.id, events=made)], START)
    assert (await journal.enrol(BILL, frozenset((DISCHARGED,)))).waiting == 4
    assert (await journal.enrol(BILL, frozenset((DISCHARGED, RESULTED)))).waiting == 6
    first = (await journal.upcoming(BILL, 10))[1]
    await journal.planned(BILL, first.seq, [], START)
    assert (await journal.enrol(BILL, frozenset((RESULTED,)), lane="bulk")).waiting == 2
    assert (await journal.enrol("now", frozenset((RESULTED,)), start="now")).waiting == 0
    await journal.close()
