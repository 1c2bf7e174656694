"""The whole way of a message, driven by a clock that stands still."""

from __future__ import annotations

import asyncio

from engine.house import House, bill, note, say


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
