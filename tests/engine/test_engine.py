"""The whole way of a message, driven by a clock that stands still."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from engine.house import OK, Bedside, Desk, House, bill, note, say

from isthmus.core import Bug, Retry, Transient
from isthmus.journals.memory import MemoryJournal


async def test_a_message_goes_the_whole_way_without_any_time_passing() -> None:
    async with House(subscriptions=(note, bill)) as house:
        await house.say(say(1, patient="p1", text="hello"))
        assert house.bedside.codes == ["AA"]
        assert house.ward.bodies == ["hello"]
        assert house.office.bodies == ['{"for":"patient-1p","amount":7}']
        story = await house.story_of(1)
        assert story.message.state == "translated"
        assert {one.state for one in story.deliveries} == {"delivered"}
        assert {one.correlation_id for one in (*story.events, *story.deliveries)} == {story.message.correlation_id}


async def test_drain_works_off_what_can_be_and_then_takes_nothing_more() -> None:
    async with House() as house:
        house.bedside.say(*(say(number, patient=f"p{number}") for number in range(300)))
        drained = False

        async def drain() -> None:
            nonlocal drained
            drained = await house.engine.drain(30.0)

        task = asyncio.create_task(drain())
        for _ in range(200):
            await house.clock.advance(0.02)
            if task.done():
                break
        await task
        assert drained
        assert not house.bedside.open
        assert len(house.ward.sent) == 300


async def test_two_runs_with_the_same_seed_do_the_same() -> None:
    async def run() -> list[str]:
        async with House() as house:
            await house.say(*(say(number, patient=f"p{number % 3}", text=f"t{number}") for number in range(20)))
            return house.ward.bodies

    assert await run() == await run()


async def test_a_drain_gives_up_when_its_time_is_over_and_says_so() -> None:
    desk = Desk()
    desk.gate = asyncio.Event()
    async with House(desks={"ward": desk}) as house:
        await house.say(say(1))
        draining = asyncio.create_task(house.engine.drain(5.0))
        await house.clock.advance(4.9)
        assert not draining.done()
        await house.clock.advance(0.2)
        assert draining.result() is False


async def test_a_drain_waits_for_a_retry_that_falls_into_its_time_but_not_for_an_endpoint_that_is_down() -> None:
    desk = Desk(lambda _: OK if len(desk.sent) > 1 else Retry("busy", after=3.0))
    async with House(desks={"ward": desk}) as house:
        await house.say(say(1))
        draining = asyncio.create_task(house.engine.drain(10.0))
        await house.clock.advance(4.0)
        assert draining.result() is True
        assert len(desk.sent) == 2
    down = Desk()
    down.down = Transient("down")
    async with House(desks={"ward": down}) as house:
        await house.say(say(1))
        draining = asyncio.create_task(house.engine.drain(10.0))
        await house.clock.advance(2.0)
        assert draining.result() is True, "what cannot be worked off stays in the journal"


async def test_a_drain_waits_for_an_endpoint_that_opens_at_the_second_try() -> None:
    late = Desk()
    late.down = Transient("down")
    async with House(desks={"ward": late}) as house:
        await house.say(say(1))
        draining = asyncio.create_task(house.engine.drain(10.0))
        late.down = None
        await house.clock.advance(2.0)
        assert draining.result() is True
        assert len(late.sent) == 1


async def test_an_interrupted_drain_leaves_sources_for_stop() -> None:
    class Slow(Bedside):
        stops = 0

        async def stop(self) -> None:
            self.stops += 1
            if self.stops == 1:
                await asyncio.Event().wait()
            await super().stop()

    source = Slow()
    async with House(sources=(source,)) as house:
        draining = asyncio.create_task(house.engine.drain(10.0))
        await house.clock.settle()
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        assert source.open
    assert not source.open


def test_what_does_not_fit_together_is_told_at_once() -> None:
    with pytest.raises(Bug) as caught:
        House(subscriptions=(note, bill), desks={"ward": Desk()}, sources=(Bedside(), Bedside("cellar")))
    assert "cellar" in caught.value.detail
    assert "[endpoints]" in caught.value.detail


async def test_status_tells_how_it_is() -> None:
    desk = Desk()
    desk.gate = asyncio.Event()
    async with House(desks={"ward": desk}) as house:
        await house.say(say(1), say(2, "p2"))
        status = house.engine.status()
        assert (status.failed, status.backlog, status.unanswered, status.paused) == ("", {"talk": 0}, 0, {})
        assert (status.subscriptions["ward.note"].state, status.subscriptions["ward.note"].cursor) == ("running", 2)
        assert (status.endpoints["ward"].in_the_air, status.endpoints["ward"].in_hand) == (1, 2)


class Flaky(MemoryJournal):
    """Fails now and then; ``after``: the write was done, only its answer was lost."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng
        self.hiccups = 0
        self.calm = False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("receive", "untranslated", "translated", "upcoming", "planned", "claim", "settle", "next_due", "backlog"):
            return found

        async def hiccuping(*given: Any, **named: Any) -> Any:
            before, after = self.rng.random() < 0.1, self.rng.random() < 0.1
            if before and not self.calm:
                self.hiccups += 1
                raise Transient("hiccup", name)
            result = await found(*given, **named)
            if after and not self.calm:
                self.hiccups += 1
                raise Transient("answer-lost", name)
            return result

        return hiccuping


@pytest.mark.parametrize("seed", range(5))
async def test_a_journal_with_hiccups_loses_doubles_and_disorders_nothing(seed: int) -> None:
    """Whatever call fails, before or after it took effect."""
    journal = Flaky(random.Random(seed))
    journal.calm = True
    async with House(journal=journal, seed=seed, subscriptions=(note,), desks={"ward": Desk(max_batch=3, in_flight=2)}) as house:
        journal.calm = False
        waiting = {number: say(number, patient=f"p{number % 3}") for number in range(60)}
        for _ in range(100):
            before = len(house.bedside.answers)
            house.bedside.say(*waiting.values())
            await house.clock.advance(20.0)
            for (ack, _taken), number in zip(house.bedside.answers[before:], list(waiting), strict=True):
                if ack and b"|AA|" in ack:
                    del waiting[number]
            if not waiting:
                break
        journal.calm = True
        await house.clock.advance(120.0)
        assert journal.hiccups > 10, "it did hurt"
        assert not waiting
        sent = [one.key for one in house.ward.sent]
        checked = {one.key for one in house.ward.checked}
        assert {int(key) for key in (*sent, *checked)} == set(range(60))
        assert len(sent) == len(set(sent))
        tallies = {one.state: one.count for one in await journal.tallies() if one.noun == "delivery" and one.count}
        assert tallies == {"delivered": 60}
        for patient in range(3):
            mine = [int(key) for key in sent if int(key) % 3 == patient]
            assert mine == sorted(mine)
