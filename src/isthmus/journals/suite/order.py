"""Ordering keys: oldest first, one at a time, and a dead letter holds its key and only its key."""

from __future__ import annotations

import pytest

from isthmus.journals.port import Journal
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import (
    ME,
    NOTIFY,
    PORTAL,
    START,
    at,
    claim,
    dead,
    delivered,
    due,
    keys,
    retried,
    stored,
    unknown,
)  # fmt: skip

LINE = "patient/1"


@pytest.mark.asyncio
class TestOrder:
    async def test_one_at_a_time_and_oldest_first(self, journal: Journal) -> None:
        await due(journal, "a1", "a2", line=LINE)
        await due(journal, "b1", "b2", line="patient/2")
        await due(journal, "a3", line=LINE)
        seen: list[list[str]] = []
        while taken := await claim(journal):
            seen.append([one.delivery.key for one in taken])
            assert await keys(journal) == []
            await journal.settle([delivered(one.delivery.id) for one in taken], ME)
        assert seen == [["a1", "b1"], ["a2", "b2"], ["a3"]]

    async def test_without_an_ordering_key_nothing_waits(self, journal: Journal) -> None:
        await due(journal, *(f"k{n}" for n in range(10)))
        assert await keys(journal) == [f"k{n}" for n in range(10)]

    async def test_the_same_ordering_key_at_another_endpoint_is_another_line(self, journal: Journal) -> None:
        await due(journal, "a1", "a2", line=LINE)
        await due(journal, "p1", "p2", line=LINE, endpoint=PORTAL, subscription=NOTIFY)
        assert await keys(journal) == ["a1"]
        assert await keys(journal, endpoint=PORTAL) == ["p1"]

    async def test_a_retry_keeps_its_place(self, journal: Journal) -> None:
        first, _ = await due(journal, "a1", "a2", line=LINE)
        await claim(journal)
        await journal.settle([retried(first.id, not_before=at(30))], ME)
        assert await keys(journal, now=at(29)) == []
        assert await keys(journal, now=at(30)) == ["a1"]

    async def test_an_unknown_outcome_keeps_its_place(self, journal: Journal) -> None:
        first, _ = await due(journal, "a1", "a2", line=LINE)
        await claim(journal)
        await journal.settle([unknown(first.id, not_before=at(30))], ME)
        assert await keys(journal, now=at(29)) == []
        (again,) = await claim(journal, now=at(31))
        assert (again.delivery.key, again.unknown) == ("a1", True)

    async def test_a_dead_one_holds_its_key_and_only_its_key(self, journal: Journal) -> None:
        first, second, third = await due(journal, "a1", "a2", "a3", line=LINE)
        await due(journal, "b1", line="patient/2")
        await due(journal, "free")
        await journal.settle([dead(one.delivery.id) for one in await claim(journal, limit=1)], ME)
        assert await keys(journal) == ["b1", "free"]
        await due(journal, "a4", line=LINE)
        assert await keys(journal) == []
        behind = [await stored(journal, one.id) for one in (first, second, third)]
        assert [(one.state, one.behind) for one in behind] == [("dead", ""), ("due", first.id), ("due", first.id)]

    async def test_redelivering_a_dead_one_lets_its_key_go_on(self, journal: Journal) -> None:
        first, _ = await due(journal, "a1", "a2", line=LINE)
        await claim(journal)
        await journal.settle([dead(first.id)], ME)
        assert list(await journal.redeliver([first.id], "ann", "product created", at(60))) == [first.id]
        (again,) = await claim(journal, now=at(60))
        assert (again.delivery, again.attempt, again.unknown) == (first, 2, False)
        await journal.settle([delivered(first.id)], ME)
        assert await keys(journal, now=at(60)) == ["a2"]

    async def test_abandoning_a_dead_one_frees_its_key(self, journal: Journal) -> None:
        first, _ = await due(journal, "a1", "a2", line=LINE)
        await claim(journal)
        await journal.settle([dead(first.id)], ME)
        await journal.abandon([first.id], "ann", "sent by hand", at(60))
        assert await keys(journal, now=at(60)) == ["a2"]

    async def test_redelivering_a_delivered_one_takes_its_turn(self, journal: Journal) -> None:
        first, second, _ = await due(journal, "a1", "a2", "a3", line=LINE)
        await claim(journal)
        await journal.settle([delivered(first.id)], ME)
        await claim(journal)
        await journal.redeliver([first.id], "ann", "lost in the target", at(60))
        assert await keys(journal, now=at(60)) == []
        await journal.settle([delivered(second.id)], ME)
        assert await keys(journal, now=at(60)) == ["a1"]
        await journal.settle([delivered(first.id)], ME)
        assert await keys(journal, now=at(60)) == ["a3"]

    async def test_a_redelivered_one_goes_before_a_younger_one_that_waits(self, journal: Journal) -> None:
        (first,) = await due(journal, "a1", line=LINE)
        await claim(journal)
        await journal.settle([delivered(first.id)], ME)
        await due(journal, "a2", line=LINE)
        await journal.redeliver([first.id], "ann", "lost in the target", START)
        assert await keys(journal) == ["a1"]

    async def test_order_survives_a_restart(self, make_journal: MakeJournal) -> None:
        before = make_journal()
        await before.open()
        first, _ = await due(before, "a1", "a2", line=LINE)
        await claim(before)
        await before.close()
        after = make_journal()
        await after.open()
        assert await keys(after) == []
        await after.settle([delivered(first.id)], ME)
        assert await keys(after) == ["a2"]
        await after.close()

    async def test_a_long_line_leaves_one_by_one_whatever_the_batches(self, journal: Journal) -> None:
        for n in range(0, 30, 3):
            await due(journal, f"{n:02}", f"{n + 1:02}", line=LINE)
            await due(journal, f"{n + 2:02}", line=LINE)
        sent: list[str] = []
        while taken := await claim(journal, limit=7):
            sent += [one.delivery.key for one in taken]
            await journal.settle([delivered(one.delivery.id) for one in taken], ME)
        assert sent == [f"{n:02}" for n in range(30)]
