"""A target's budget is never exceeded, whatever arrives when."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import FakeClock

arrivals = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 1.5), st.sampled_from(["normal", "safety", "bulk"])), min_size=1, max_size=25
)


@settings(deadline=None, max_examples=60)
@given(calls=arrivals, rate=st.sampled_from([0.5, 1.0, 3.0, 7.5]), in_flight=st.integers(1, 4))
def test_no_second_holds_more_starts_than_allowed_and_never_more_run_at_once(
    calls: list[tuple[float, float, str]], rate: float, in_flight: int
) -> None:
    async def run() -> None:
        clock = FakeClock()
        budget = TargetBudget(clock, calls_per_second=rate, in_flight=in_flight)
        starts: list[float] = []
        running = most = 0

        async def call(at: float, takes: float, lane: str) -> None:
            nonlocal running, most
            await clock.sleep(at)
            async with budget.call(lane):
                starts.append(clock.monotonic())
                running += 1
                most = max(most, running)
                await clock.sleep(takes)
                running -= 1

        tasks = [asyncio.create_task(call(*one)) for one in calls]
        await clock.advance(200.0)
        assert all(task.done() for task in tasks), "a call waits for ever"
        assert most <= in_flight
        window, allowed = (1.0, int(rate)) if rate >= 1 else (1.0 / rate, 1)
        for start in starts:
            assert len([one for one in starts if start <= one < start + window]) <= allowed
        assert budget.running == budget.waiting == 0

    asyncio.run(run())


async def test_lane_by_lane_safety_first() -> None:
    clock = FakeClock()
    budget = TargetBudget(clock, in_flight=1)
    order: list[str] = []

    async def call(name: str, lane: str) -> None:
        async with budget.call(lane):
            order.append(name)
            await clock.sleep(1.0)

    tasks = [asyncio.create_task(call(name, lane)) for name, lane in [("a", "bulk"), ("b", "bulk"), ("c", "normal"), ("d", "safety")]]
    await clock.advance(10.0)
    assert order == ["a", "d", "c", "b"]
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("moment", ["waiting", "admitted"])
async def test_who_gives_up_takes_no_place(moment: str) -> None:
    clock = FakeClock()
    budget = TargetBudget(clock, in_flight=1)
    release = asyncio.Event()

    async def hold() -> None:
        async with budget.call():
            await release.wait()

    first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
    await clock.settle()
    if moment == "admitted":
        release.set()
        while not first.done():
            await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    release.set()
    await first
    assert budget.running == budget.waiting == 0
    async with budget.call():
        assert budget.running == 1


async def test_without_limits_nobody_waits() -> None:
    budget = TargetBudget(FakeClock())
    async with budget.call(), budget.call("safety"), budget.call("bulk"):
        assert budget.running == 3


@pytest.mark.parametrize("limits", [{"calls_per_second": 0.0}, {"in_flight": 0}])
def test_a_budget_that_allows_nothing_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must allow something"):
        TargetBudget(FakeClock(), **limits)  # type: ignore[arg-type]
