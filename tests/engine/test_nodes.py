"""Several engines on one journal, by a clock that stands still: who works on what, who takes over, and what the cut-off may not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engine.house import OK, Bedside, Desk, House, bill, note, say, saying

from isthmus.core import Rejected, Retry, Transient
from isthmus.engine.clock import FakeClock
from isthmus.engine.duties import Portion
from isthmus.engine.membership import LEASE, WINDOW, Membership
from isthmus.engine.shares import Share
from isthmus.engine.telemetry import ClaimsReleased, EngineFailed, LeaseLapsed, NodeBuried, NodesChanged
from isthmus.journals.memory import MemoryJournal

BEAT = LEASE / 6 + 0.01
TAKEOVER = 5.0


class Line:
    """A node's way to the journal, which a test can cut (calls fail) or freeze (calls hang, and get through when it thaws)."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal
        self.cut = False
        self.open_again = asyncio.Event()
        self.open_again.set()

    def freeze(self) -> None:
        self.open_again.clear()

    def thaw(self) -> None:
        self.open_again.set()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.journal, name)

        async def through(*args: Any, **named: Any) -> Any:
            if self.cut:
                raise Transient("journal-unreachable", "cut")
            await self.open_again.wait()
            return await method(*args, **named)

        return through


class Ward:
    """Several nodes on one journal, each with a source and desks of its own; what reached any desk, in order."""

    def __init__(self, **house: Any) -> None:
        self.clock = FakeClock()
        self.store = MemoryJournal(monotonic=self.clock.monotonic)
        self.effects: list[str] = []
        """Numbers of what took effect, by the checking receiver that all nodes' desks stand for."""
        self._house = house
        self._started = 0
        self.nodes: dict[str, House] = {}
        self.lines: dict[str, Line] = {}

    def desk(self) -> Desk:
        def send(delivery: Any) -> Any:
            self.effects.append(delivery.key)
            return OK

        def check(delivery: Any) -> Any:
            return OK if delivery.key in self.effects else Retry("not-there")

        return Desk(send, check=check)

    async def start(self, name: str, **more: Any) -> House:
        line = Line(self.store.beside())
        self._started += 1
        settings = {"desks": {"ward": self.desk()}, "seed": self._started, **self._house, **more}
        node = House(journal=line, shared=line, node=name, clock=self.clock, **settings)  # type: ignore[arg-type]
        self.nodes[name], self.lines[name] = node, line
        starting = asyncio.create_task(node.engine.start())
        for _ in range(60):
            await self.clock.settle()
            if starting.done():
                break
            await self.clock.advance(LEASE / 6)
        await starting
        await self.clock.advance(BEAT)
        return node

    async def kill(self, name: str) -> None:
        """As kill -9 would: nothing is settled, handed back or told."""
        node = self.nodes.pop(name)
        await node.engine._supervisor.stop()
        self.lines[name].cut = True
        await self.lines[name].journal.close()

    async def stop(self) -> None:
        for name in list(self.nodes):
            await self.nodes.pop(name).engine.stop()


@asynccontextmanager
async def ward(**house: Any) -> AsyncIterator[Ward]:
    made = Ward(**house)
    try:
        yield made
    finally:
        await made.stop()


def sharing(**wholes: Portion) -> dict[str, Any]:
    """Endpoints with budgets that all nodes share."""
    return {"shares": lambda membership: {name: Share(whole, membership, membership._clock) for name, whole in wholes.items()}}


async def until(clock: FakeClock, done: Callable[[], bool], within: float) -> float:
    """Let time pass until it is so; how long it took."""
    begun = clock.monotonic()
    while not done():
        assert clock.monotonic() - begun < within, f"not within {within} s"
        await clock.advance(0.05)
    return clock.monotonic() - begun


# ---- who works on what


async def test_each_duty_is_one_nodes_and_all_is_done_once() -> None:
    talks = [saying(f"talk.{number}", kinds=(f"K{number}",)) for number in range(8)]
    async with ward(interfaces=talks) as it:
        first, second = await it.start("first"), await it.start("second")
        shares = [node.engine._to_translate() for node in (first, second)]
        assert shares[0]
        assert shares[1]
        assert shares[0] | shares[1] == {one.name for one in talks}
        assert not shares[0] & shares[1]
        for number in range(40):
            node = (first, second)[number % 2]
            await node.say(say(number, kind=f"K{number % 8}", patient=f"p{number}"))
        await until(it.clock, lambda: len(it.effects) == 40, 0.5)
        await it.clock.advance(5.0)
        assert sorted(it.effects, key=int) == [str(number) for number in range(40)]


async def test_work_of_one_node_for_another_does_not_wait_until_it_looks_by_itself() -> None:
    async with ward() as it:
        nodes = [await it.start(name) for name in ("first", "second")]
        elsewhere = next(node for node in nodes if not node.engine._mine("interface talk"))
        await elsewhere.say(say(1))
        assert await until(it.clock, lambda: it.effects == ["1"], 1.0) < 0.2


async def test_a_subscription_is_worked_elsewhere_until_it_falls_to_this_node() -> None:
    async with ward() as it:
        nodes = [await it.start(name) for name in ("first", "second")]
        states = sorted(node.engine.status().subscriptions["ward.note"].state for node in nodes)
        assert states == ["elsewhere", "running"]
        at_work = next(name for name, node in it.nodes.items() if node.engine.status().subscriptions["ward.note"].state == "running")
        for number in range(10):
            await nodes[0].say(say(number))
        await until(it.clock, lambda: len(it.effects) == 10, 1.0)
        await it.kill(at_work)
        (left,) = it.nodes.values()
        await left.say(say(10))
        await until(it.clock, lambda: len(it.effects) == 11, TAKEOVER)
        assert it.effects == [str(number) for number in range(11)], "in order, from where the other stood"


async def test_what_only_a_newer_release_declares_waits_for_a_node_that_does() -> None:
    """The first node does not know the interface; whatever the draw says, it must not fail its messages."""
    for number in range(6):
        async with ward() as it:
            await it.start("old")
            name = f"new.{number}"
            new = await it.start("new", interfaces=[saying(), saying(name, kinds=("NEW",))])
            await new.say(say(1, kind="NEW"))
            await it.clock.advance(2.0)
            assert await it.store.backlog() in ({}, {name: 1})
            await it.nodes.pop("old").engine.stop()
            await until(it.clock, lambda: it.effects == ["1"], 3.0)


# ---- a node dies


async def test_what_a_killed_node_was_sending_is_checked_by_another_within_five_seconds() -> None:
    async with ward() as it:
        doomed = await it.start("doomed")
        doomed.ward.gate = asyncio.Event()
        await doomed.say(say(1), say(2, patient="p2"), say(3))
        assert len(doomed.ward.sent) == 1
        assert doomed.engine.status().endpoints["ward"].in_hand == 2
        alive = await it.start("alive")
        await it.kill("doomed")
        took = await until(it.clock, lambda: sorted(it.effects) == ["1", "2", "3"], TAKEOVER)
        assert took > 1.0, "not before its lease ran out"
        assert [one.claims for one in alive.told(ClaimsReleased)] == [2]
        assert sorted(one.key for one in alive.ward.checked) == ["1", "2"]
        assert it.effects.index("1") < it.effects.index("3"), "in order per key"


async def test_a_node_that_comes_back_under_its_name_waits_for_its_predecessors_lease_and_checks_its_work() -> None:
    async with ward() as it:
        before = await it.start("node")
        before.ward.gate = asyncio.Event()
        await before.say(say(1))
        await it.kill("node")
        begun = it.clock.monotonic()
        after = await it.start("node")
        assert 1.0 < it.clock.monotonic() - begun < TAKEOVER
        await until(it.clock, lambda: it.effects == ["1"], 0.5)
        assert [one.key for one in after.ward.checked] == ["1"]


async def test_a_name_that_is_in_use_is_refused_after_one_lease_with_the_cure() -> None:
    async with ward() as it:
        await it.start("node")
        begun = it.clock.monotonic()
        with pytest.raises(Rejected, match=r"node-taken.*another name"):
            await it.start("node")
        assert LEASE < it.clock.monotonic() - begun < 2 * LEASE
        it.nodes.clear()


# ---- a node is cut off


async def test_a_node_that_was_cut_off_sends_nothing_of_what_was_taken_over_and_joins_again() -> None:
    async with ward() as it:
        cut = await it.start("cut")
        cut.ward.gate = asyncio.Event()
        await cut.say(*(say(number, patient=f"p{number}") for number in range(4)))
        claimed = cut.engine.status().endpoints["ward"].in_hand
        assert claimed > len(cut.ward.sent), "some are in hand and not being sent"
        alive = await it.start("alive")
        it.lines["cut"].cut = True
        await until(it.clock, lambda: len(it.effects) == 4, TAKEOVER)
        assert [one.claims for one in alive.told(ClaimsReleased)] == [claimed]
        assert cut.told(LeaseLapsed)
        cut.ward.gate.set()  # what hung in the air ends only now
        await it.clock.advance(1.0)
        it.lines["cut"].cut = False
        was = cut.membership.node if cut.membership else ""
        await until(it.clock, lambda: bool(cut.told(NodeBuried)), 2.0)
        await it.clock.advance(2 * LEASE)
        assert cut.membership is not None
        assert cut.membership.holds
        assert cut.membership.node != was
        assert [one.key for one in cut.ward.sent] == ["0"], "what was in hand was dropped"
        assert sorted(it.effects) == ["0", "0", "1", "2", "3"], "the one in the air took effect before it was checked, and after"
        await cut.say(say(9))
        await until(it.clock, lambda: "9" in it.effects, 1.0)


async def test_a_journal_that_hangs_is_like_one_that_is_cut_off() -> None:
    async with ward() as it:
        frozen, alive = await it.start("frozen"), await it.start("alive")
        it.lines["frozen"].freeze()
        await it.clock.advance(TAKEOVER)
        assert frozen.membership is not None
        assert not frozen.membership.holds
        assert alive.engine.status().nodes is not None
        assert len(alive.engine.status().nodes.living) == 1  # type: ignore[union-attr]
        it.lines["frozen"].thaw()
        await it.clock.advance(2 * LEASE)
        assert frozen.membership.holds
        assert len(frozen.told(NodeBuried)) == 1
        await frozen.say(say(1))
        await until(it.clock, lambda: it.effects == ["1"], 1.0)


async def test_after_an_outage_of_the_journal_everybody_goes_on_and_nobody_is_buried() -> None:
    async with ward() as it:
        nodes = [await it.start(name) for name in ("first", "second", "third")]
        names = [node.membership.node for node in nodes if node.membership]
        for line in it.lines.values():
            line.cut = True
        await it.clock.advance(40 * LEASE)
        assert all(node.told(LeaseLapsed) for node in nodes)
        for line in it.lines.values():
            line.cut = False
            await it.clock.advance(LEASE / 12)
        await it.clock.advance(2 * LEASE)
        assert [node.membership.node for node in nodes if node.membership] == names
        assert not any(node.told(NodeBuried) for node in nodes)
        await nodes[0].say(say(1))
        assert await until(it.clock, lambda: it.effects == ["1"], 10.0) < 3.0, "loops that paused longer and longer begin at once"
        assert all(node.membership and node.membership.holds and len(node.membership.living) == 3 for node in nodes)


async def test_a_node_whose_name_was_taken_while_it_was_away_ends_loudly() -> None:
    async with ward() as it:
        away = await it.start("node")
        it.lines["node"].freeze()
        line = it.lines["node"]
        await it.clock.advance(TAKEOVER)
        await it.start("node")
        line.thaw()
        await it.clock.advance(3 * LEASE)
        assert [one.code for one in away.told(EngineFailed)] == ["node-taken"]
        assert away.bedside.paused
        await away.engine.stop()


# ---- who leaves


async def test_a_node_that_leaves_sees_through_what_it_sends_and_leaves_the_rest_to_others() -> None:
    async with ward() as it:
        leaving = await it.start("leaving")
        leaving.ward.gate = asyncio.Event()
        await leaving.say(*(say(number, patient=f"p{number}") for number in range(6)))
        staying = await it.start("staying")
        draining = asyncio.create_task(leaving.engine.drain(30.0))
        await until(it.clock, lambda: len(it.effects) == 5, 2.0)
        assert not draining.done(), "what is in the air is seen through"
        leaving.ward.gate.set()
        await it.clock.advance(0.1)
        assert await draining
        await it.nodes.pop("leaving").engine.stop()
        await it.clock.advance(0.1)
        assert sorted(it.effects) == [str(number) for number in range(6)]
        assert staying.ward.checked == [], "what was handed back was never sent, and need not be checked"
        assert staying.told(NodesChanged)[-1].nodes == 1, "it is told at once"


async def test_the_last_node_works_off_what_it_can() -> None:
    async with ward() as it:
        last = await it.start("last")
        last.bedside.say(*(say(number, patient=f"p{number}") for number in range(50)))
        draining = asyncio.create_task(last.engine.drain(30.0))
        await it.clock.advance(2.0)
        assert await draining
        assert len(it.effects) == 50


# ---- budgets and folders


async def test_all_nodes_together_keep_to_a_targets_budget_while_they_come_and_go() -> None:
    running = 0
    most = 0

    class Together(Desk):
        async def send(self, deliveries: Any, timeout: float, **named: Any) -> Any:
            nonlocal running, most
            share = self.share
            assert share is not None
            async with share.budget.call():
                running += 1
                most = max(most, running)
                try:
                    await clock.sleep(0.05)
                finally:
                    running -= 1
            return await super().send(deliveries, timeout, **named)

        share: Share | None = None

    async with ward() as it:
        clock = it.clock

        async def start(name: str) -> House:
            plain = it.desk()
            desk = Together(plain.send_one, check=plain.check_one, in_flight=4)

            def shares(membership: Membership) -> dict[str, Share]:
                desk.share = Share(Portion(None, 3), membership, clock)
                return {"ward": desk.share}

            return await it.start(name, desks={"ward": desk}, shares=shares)

        first = await start("first")
        assert first.ward.share.portion == Portion(None, 3), "who is alone has all of it at once"  # type: ignore[attr-defined]
        first.bedside.say(*(say(number, patient=f"p{number}") for number in range(700)))
        await it.clock.advance(1.0)
        assert most == 3
        others = [await start(name) for name in ("second", "third", "fourth")]
        await it.clock.advance(1.0)
        assert not any(one.ward.sent for one in others), "who has just joined waits until all have seen it"
        await it.clock.advance(LEASE + WINDOW)
        portions = [one.ward.share.portion for one in (first, *others)]  # type: ignore[attr-defined]
        assert portions.count(Portion(None, 1)) == 3
        assert portions.count(None) == 1
        resting = (first, *others)[portions.index(None)]
        sent = len(resting.ward.sent)
        await it.clock.advance(1.0)
        assert len(resting.ward.sent) == sent
        assert resting.engine.status().endpoints["ward"].in_hand == 0
        for name in ("second", "third", "fourth"):
            await it.kill(name)
        await it.clock.advance(TAKEOVER)
        assert first.ward.share.portion == Portion(None, 3)  # type: ignore[attr-defined]
        await until(it.clock, lambda: len(set(it.effects)) == 700, 30.0)
        assert most == 3, "never more than allowed"


async def test_a_single_connection_that_moves_to_a_new_node_rests_only_for_a_moment() -> None:
    moved = 0
    for number in range(6):
        async with ward(interfaces=[saying()]) as it:
            one = Portion(None, 1)
            old = await it.start("old", **sharing(ward=one))
            name = f"new{number}"
            starting = asyncio.create_task(it.start(name, **sharing(ward=one)))
            begun, longest, last = it.clock.monotonic(), 0.0, it.clock.monotonic()
            for second in range(160):
                await old.say(say(second))
                await it.clock.advance(0.05)
                if len(it.effects) == second + 1:
                    last = it.clock.monotonic()
                longest = max(longest, it.clock.monotonic() - last)
            await starting
            assert it.clock.monotonic() - begun > LEASE + WINDOW
            assert longest < WINDOW + LEASE / 6 + 0.3
            moved += bool(it.nodes[name].ward.sent)
    assert 0 < moved < 6, "to some it moves, and to some it does not"


class Folder(Bedside):
    """A source that must not be open twice."""

    exclusive = True
    open_now = 0

    async def start(self, accept: Any) -> None:
        Folder.open_now += 1
        assert Folder.open_now == 1, "open on two nodes"
        await super().start(accept)

    async def stop(self) -> None:
        Folder.open_now -= self.open
        await super().stop()


async def test_a_folder_is_read_by_one_node_at_a_time() -> None:
    Folder.open_now = 0
    async with ward() as it:
        nodes: dict[str, House] = {}
        for name in ("first", "second", "third"):
            nodes[name] = await it.start(name, sources=[Folder()])
        await it.clock.advance(2 * LEASE)
        assert Folder.open_now == 1
        reader = next(name for name, node in nodes.items() if node.bedside.open)
        it.lines[reader].cut = True
        await it.clock.advance(LEASE)
        assert not nodes[reader].bedside.open, "closed with its lapsed lease"
        await until(it.clock, lambda: Folder.open_now == 1, 2 * LEASE + 1)
        second = next(name for name, node in nodes.items() if node.bedside.open)
        assert second != reader
        it.lines[reader].cut = False
        await it.clock.advance(3 * LEASE)
        assert nodes[reader].bedside.open, "it comes back to whom it falls"
        assert Folder.open_now == 1
        assert await nodes[reader].engine.drain(1.0) or True
        assert Folder.open_now == 0


async def test_a_lookup_subscription_survives_the_death_of_its_node() -> None:
    async with ward(subscriptions=(note, bill)) as it:
        nodes = [await it.start(name, desks={"ward": it.desk(), "office": it.desk()}) for name in ("first", "second")]
        for number in range(20):
            await nodes[number % 2].say(say(number, patient=f"p{number % 3}"))
        await it.kill("first")
        await until(it.clock, lambda: len(it.effects) >= 40, TAKEOVER + 1)
        await it.clock.advance(1.0)
        assert sorted(it.effects) == sorted([str(number) for number in range(20)] * 2)
