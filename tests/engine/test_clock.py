"""The clock that tests move, wakes and deadlines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.engine.clock import FakeClock, SystemClock, deadline
from isthmus.engine.wake import Wake


async def test_what_falls_due_happens_at_its_own_time_and_in_order() -> None:
    clock, seen = FakeClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        seen.append((seconds, clock.monotonic()))
        await clock.sleep(1.0)
        seen.append((seconds, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (2.0, 0.5)]
    await clock.advance(2.5)
    assert seen == [(0.5, 0.5), (0.5, 1.5), (2.0, 2.0)]
    await clock.advance(0.5)
    await asyncio.gather(*tasks)
    assert seen[-1] == (2.0, 3.0)


async def test_a_jump_is_like_a_machine_that_slept() -> None:
    clock, rings = FakeClock(), 0

    async def every_second() -> None:
        nonlocal rings
        while True:
            await clock.sleep(1.0)
            rings += 1

    task = asyncio.create_task(every_second())
    await clock.settle()
    await clock.jump(3_600.0)
    assert rings == 1
    task.cancel()


async def test_a_deadline_interrupts_what_takes_longer_and_leaves_the_rest_alone() -> None:
    clock = FakeClock()

    async def slow() -> str:
        try:
            async with deadline(clock, 1.0):
                await clock.sleep(5.0)
        except TimeoutError:
            return f"late at {clock.monotonic()}"
        return "in time"

    async def quick() -> str:
        async with deadline(clock, 1.0):
            await clock.sleep(0.5)
        await clock.sleep(2.0)
        return "in time"

    tasks = [asyncio.create_task(slow()), asyncio.create_task(quick())]
    await clock.advance(3.0)
    assert [task.result() for task in tasks] == ["late at 1.0", "in time"]


async def test_who_is_cancelled_inside_a_deadline_is_cancelled_and_not_late() -> None:
    clock = FakeClock()

    async def waits() -> None:
        async with deadline(clock, 1.0):
            await clock.sleep(5.0)

    task = asyncio.create_task(waits())
    await clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_wake_raised_before_the_wait_is_not_lost_and_counts_once() -> None:
    clock = FakeClock()
    wake = Wake(clock)
    wake()
    wake()
    assert await wake.wait(1.0)
    waiting = asyncio.create_task(wake.wait(1.0))
    await clock.settle()
    assert wake.asleep
    assert not waiting.done()
    await clock.advance(1.0)
    assert waiting.result() is False
    assert not wake.asleep


async def test_the_clock_of_this_machine_tells_utc_and_sleeps() -> None:
    clock, rung = SystemClock(), asyncio.Event()
    clock.after(0.0, rung.set)
    await asyncio.wait_for(rung.wait(), 5)
    before = clock.monotonic()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now().utcoffset() is not None


async def test_time_never_goes_back_when_the_machine_is_set_back() -> None:
    wall = datetime(2026, 3, 2, 12, tzinfo=UTC)
    clock = SystemClock(lambda: wall)
    before = clock.now()

    wall -= timedelta(hours=2)
    after = [clock.now() for _ in range(1000)]
    assert before <= after[0] < before + timedelta(seconds=1), "what is due in a second must not wait two hours more"
    assert after == sorted(after)
    assert after[-1] > before, "and it does not stand still"

    wall += timedelta(hours=3)
    assert clock.now() == wall, "once the machine has caught up, its time is the time"
