"""What people do with dead letters: redeliver, abandon; each with a name and a reason."""

from __future__ import annotations

import pytest

from isthmus.journals.port import Journal
from isthmus.journals.suite.samples import ME, at, claim, dead, delivered, due, keys, stored, unknown


@pytest.mark.asyncio
class TestActs:
    async def test_redeliver_takes_dead_abandoned_and_delivered_ones(self, journal: Journal) -> None:
        one, two, three = await due(journal, "dead", "abandoned", "delivered")
        await claim(journal)
        await journal.settle([dead(one.id), dead(two.id), delivered(three.id)], ME)
        await journal.abandon([two.id], "ann", "typed in by hand", at(1))
        ids = [three.id, two.id, one.id]
        assert list(await journal.redeliver(ids, "ben", "the target lost them", at(60))) == ids
        again = await claim(journal, now=at(60))
        assert {taken.delivery.id: taken.delivery for taken in again} == {one.id: one, two.id: two, three.id: three}
        assert {taken.attempt for taken in again} == {2}

    async def test_redeliver_leaves_alone_what_is_on_its_way(self, journal: Journal) -> None:
        one, two, three = await due(journal, "sending", "unknown", "due")
        await claim(journal, limit=2)
        await journal.settle([unknown(two.id, not_before=at(90))], ME)
        assert list(await journal.redeliver([one.id, two.id, three.id, "nobody knows"], "ben", "why", at(60))) == []
        assert await keys(journal, now=at(60)) == ["due"]

    async def test_redeliver_asks_once_however_often_it_is_told(self, journal: Journal) -> None:
        (one,) = await due(journal, "k")
        await claim(journal)
        await journal.settle([dead(one.id)], ME)
        assert list(await journal.redeliver([one.id, one.id], "ben", "why", at(1))) == [one.id]
        assert list(await journal.redeliver([one.id], "ben", "why", at(2))) == []
        assert await keys(journal, now=at(2)) == ["k"]

    async def test_abandon_takes_dead_ones_only(self, journal: Journal) -> None:
        one, two, three = await due(journal, "dead", "delivered", "due")
        await claim(journal, limit=2)
        await journal.settle([dead(one.id), delivered(two.id)], ME)
        assert list(await journal.abandon([three.id, two.id, one.id, "nobody knows"], "ann", "why", at(1))) == [one.id]
        assert [(await stored(journal, each.id)).state for each in (one, two, three)] == ["abandoned", "delivered", "due"]
        assert await keys(journal, now=at(1)) == ["due"]

    async def test_who_did_it_and_why_is_told_in_the_story(self, journal: Journal) -> None:
        (one,) = await due(journal, "k")
        await claim(journal)
        await journal.settle([dead(one.id)], ME)
        await journal.abandon([one.id], "ann", "typed in by hand", at(10))
        await journal.redeliver([one.id], "ben", "it was not", at(20))
        story = await journal.story(one.id)
        assert story is not None
        assert [(step.at, step.stage, step.by, step.detail) for step in story.steps][-2:] == [
            (at(10), "abandoned", "ann", "typed in by hand"),
            (at(20), "redelivered", "ben", "it was not"),
        ]
