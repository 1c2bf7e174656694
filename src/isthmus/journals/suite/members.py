"""Nodes that share a journal: leases by the store's clock, burials, and the bell. For adapters that have ``Members``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from isthmus.core.failure import Bug, Rejected
from isthmus.journals.nodes import Members, SharedJournal
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import START, at, claim, delivered, due, keys, stored

ANN, BEN = "ann:1", "ben:1"
LONG, SHORT = 60.0, 0.05


@pytest_asyncio.fixture
async def nodes(make_journal: MakeJournal) -> AsyncIterator[tuple[SharedJournal, SharedJournal]]:
    """The journals of two nodes, open, over one store that is empty at first."""
    made = cast("SharedJournal", make_journal()), cast("SharedJournal", make_journal())
    for one in made:
        await one.open()
    yield made
    for one in made:
        await one.close()


async def expired(journal: Members, node: str) -> None:
    """Until the lease of this node has run out; by the store's clock, which only its members can be asked for."""
    await journal.join("watch:1", LONG)
    async with asyncio.timeout(20):
        while node in (await journal.beat("watch:1", LONG) or ()):  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.005)
    await journal.leave("watch:1", START)


@pytest.mark.asyncio
class TestMembers:
    async def test_a_beat_tells_who_is_there(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        await ben.join(BEN, LONG)
        await ann.join(ANN, LONG)
        assert await ann.beat(ANN, LONG) == [ANN, BEN]
        assert await ben.beat(BEN, LONG) == [ANN, BEN]
        await ben.leave(BEN, START)
        assert await ann.beat(ANN, LONG) == [ANN]

    async def test_anybody_may_look_who_is_there(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        assert await ben.nodes() == []
        await ann.join(ANN, LONG)
        await ann.join("old:1", 0.0)
        await ann.join("gone:1", LONG)
        await ann.leave("gone:1", START)
        seen = {one.node: one.left for one in await ben.nodes()}
        assert list(seen) == [ANN, "old:1"]
        assert LONG - 20 < seen[ANN] <= LONG
        assert seen["old:1"] <= 0

    async def test_a_name_is_taken_while_its_lease_runs(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, other = nodes
        await ann.join(ANN, LONG)
        await ann.join(ANN, LONG)  # once more, because the answer was lost
        with pytest.raises(Rejected, match="node-taken"):
            await other.join("ann:2", LONG)
        assert await ann.beat(ANN, SHORT) == [ANN]
        await expired(other, ANN)
        await other.join("ann:2", LONG)
        assert await ann.beat(ANN, LONG) is None
        with pytest.raises(Rejected, match="node-taken"):
            await ann.join(ANN, LONG)

    async def test_of_two_that_join_under_one_name_one_does(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ended = await asyncio.gather(*(nodes[n % 2].join(f"ann:{n}", LONG) for n in range(8)), return_exceptions=True)
        assert sum(one is None for one in ended) == 1
        assert all(one is None or isinstance(one, Rejected) for one in ended)

    async def test_a_lease_that_ran_out_without_a_burial_is_extended(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        await ben.join(BEN, LONG)
        await ann.join(ANN, 0.0)
        assert await ben.beat(BEN, LONG) == [BEN]
        assert await ann.beat(ANN, LONG) == [ANN, BEN]
        assert await ben.bury(START) == {}
        assert await ann.beat(ANN, LONG) == [ANN, BEN]

    async def test_the_buried_never_come_back_and_their_claims_are_others(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        await ben.join(BEN, LONG)
        await ann.join(ANN, 0.0)
        first, second, third = await due(ann, "k1", "k2", "k3")
        await claim(ann, limit=1, owner=f"{ANN}/odoo")
        await claim(ann, limit=1, owner=f"{ANN}/portal")
        await claim(ben, limit=1, owner=f"{BEN}/odoo")
        assert await ben.bury(at(1)) == {f"{ANN}/odoo": 1, f"{ANN}/portal": 1}
        assert await ben.bury(at(1)) == {}
        assert [(await stored(ben, one.id)).state for one in (first, second, third)] == ["unknown", "unknown", "sending"]
        assert await ann.beat(ANN, LONG) is None
        with pytest.raises(Rejected, match="node-taken"):
            await ann.join(ANN, LONG)
        await ann.settle([delivered(first.id)], f"{ANN}/odoo")
        assert (await stored(ben, first.id)).state == "unknown", "a settlement counts while its claim is held"
        await ann.join("ann:2", LONG)
        assert await ann.beat("ann:2", LONG) == ["ann:2", BEN]

    async def test_claims_of_a_node_that_nobody_knows_are_released(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        await ben.join(BEN, LONG)
        await due(ann, "k1", "k2")
        await claim(ann, limit=1, owner="host:17:42/odoo")
        await claim(ben, limit=1, owner=f"{BEN}/odoo")
        assert await ben.bury(START) == {"host:17:42/odoo": 1}

    async def test_a_successor_of_the_same_name_releases_what_its_predecessor_claimed(
        self, nodes: tuple[SharedJournal, SharedJournal]
    ) -> None:
        ann, again = nodes
        await ann.join(ANN, 0.0)
        await due(ann, "k1")
        await claim(ann, owner=f"{ANN}/odoo")
        await again.join("ann:2", LONG)
        assert await again.bury(START) == {f"{ANN}/odoo": 1}
        assert await ann.beat(ANN, LONG) is None

    async def test_who_leaves_releases_what_it_holds(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        await ann.join(ANN, LONG)
        await due(ann, "k1")
        await claim(ann, owner=f"{ANN}/odoo")
        await ann.leave(ANN, at(1))
        assert await keys(ben, now=at(1)) == ["k1"]
        assert await ann.beat(ANN, LONG) is None
        await ann.join("ann:2", LONG)

    async def test_a_beat_and_a_burial_at_once_end_in_one_of_the_two(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        for turn in range(20):
            node = f"ann:{turn}"
            await ann.join(node, 0.0)
            (mine,) = await due(ann, f"k{turn}")
            await claim(ann, owner=f"{node}/odoo")
            alive, buried = await asyncio.gather(ann.beat(node, LONG), ben.bury(START))
            assert (alive is None) == bool(buried)
            assert (await stored(ben, mine.id)).state == ("unknown" if buried else "sending")
            await ann.leave(node, START)

    async def test_names_that_mean_nothing_are_a_bug(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        for name in ("ann", ":1", "ann/odoo:1"):
            with pytest.raises(Bug, match="node-name"):
                await nodes[0].join(name, LONG)

    async def test_the_bell_is_heard_by_others_and_not_by_who_rings(self, nodes: tuple[SharedJournal, SharedJournal]) -> None:
        ann, ben = nodes
        at_ann: asyncio.Queue[str] = asyncio.Queue()
        at_ben: asyncio.Queue[str] = asyncio.Queue()
        await ann.listen(at_ann.put_nowait)
        await ben.listen(at_ben.put_nowait)
        await ann.ring({"courier odoo", "translator"})
        await ben.ring(frozenset())
        await ben.ring({"other"})
        async with asyncio.timeout(20):
            assert sorted([await at_ben.get(), await at_ben.get()]) == ["courier odoo", "translator"]
            assert await at_ann.get() == "other"
        assert (at_ann.qsize(), at_ben.qsize()) == (0, 0)
