"""A target's budget is never exceeded, whatever arrives when."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.connectors.port import NoTurn
from isthmus.core.policy import Lane
from isthmus.engine.budget import PATIENCE, UNDER_WAY, TargetBudget
from isthmus.engine.clock import FakeClock

LANES = ["safety", "normal", "bulk"]
calls_made = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 1.5), st.floats(0.0, 1.0), st.sampled_from(LANES)), min_size=1, max_size=25
)


@settings(deadline=None, max_examples=80)
@given(calls=calls_made, rate=st.sampled_from([0.5, 1.0, 3.0, 7.5, 12.0]), in_flight=st.integers(1, 4))
def test_the_target_never_sees_more_in_any_second_nor_more_at_once(
    calls: list[tuple[float, float, float, Lane]], rate: float, in_flight: int
) -> None:
    """However long each call takes to reach the target: somewhere between its start and its end, and within ``UNDER_WAY``."""

    async def run() -> None:
        clock = FakeClock()
        budget = TargetBudget(clock, calls_per_second=rate, in_flight=in_flight)
        arrivals: list[float] = []
        running = most = 0

        async def call(at: float, takes: float, way: float, lane: Lane) -> None:
            nonlocal running, most
            await clock.sleep(at)
            try:
                async with budget.call(lane):
                    arrivals.append(clock.monotonic() + way * min(takes, UNDER_WAY))
                    running += 1
                    most = max(most, running)
                    await clock.sleep(takes)
                    running -= 1
            except NoTurn:
                assert clock.monotonic() >= at + PATIENCE

        tasks = [asyncio.create_task(call(*one)) for one in calls]
        await clock.advance(200.0)
        assert all(task.done() for task in tasks), "a call waits for ever"
        assert most <= in_flight
        assert most_in_a_window(arrivals, max(1.0, 1.0 / rate)) <= max(1, int(rate))
        assert budget.running == budget.waiting == 0

    asyncio.run(run())


def most_in_a_window(times: list[float], window: float) -> int:
    """The most in any window, wherever it begins; a hair is left for rounding."""
    return max(len([one for one in times if start <= one < start + window - 1e-9]) for start in times)


ORDER: list[tuple[str, Lane]] = [("a", "bulk"), ("b", "bulk"), ("c", "normal"), ("d", "safety")]


async def test_lane_by_lane_safety_first() -> None:
    clock = FakeClock()
    budget = TargetBudget(clock, in_flight=1)
    order: list[str] = []

    async def call(name: str, lane: Lane) -> None:
        async with budget.call(lane):
            order.append(name)
            await clock.sleep(1.0)

    tasks = [asyncio.create_task(call(name, lane)) for name, lane in ORDER]
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


class Target:
    """Notes when each call begins, by lane."""

    def __init__(self, clock: FakeClock, budget: TargetBudget, takes: float) -> None:
        self.clock, self.budget, self.takes = clock, budget, takes
        self.begun: dict[str, list[float]] = {lane: [] for lane in LANES}
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, lane: Lane, times: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._call(lane)) for _ in range(times)]

    async def _call(self, lane: Lane) -> None:
        async with self.budget.call(lane):
            self.begun[lane].append(self.clock.monotonic())
            await self.clock.sleep(self.takes)


async def test_where_safety_goes_too_one_call_in_flight_is_kept_free_for_it() -> None:
    clock = FakeClock()
    target = Target(clock, TargetBudget(clock, in_flight=3), takes=5.0)
    target.ask("bulk", 4)
    await clock.advance(0.1)
    assert len(target.begun["bulk"]) == 3, "nobody critical was ever here: all of it is theirs"
    target.ask("safety")
    await clock.advance(5.0)
    assert target.begun["safety"] == [5.0], "the first waits for one call"
    target.ask("bulk", 4)
    await clock.advance(1.0)
    for _ in range(5):
        target.ask("safety")
        await clock.settle()
        assert target.begun["safety"][-1] == clock.monotonic(), "and no later one for any"
        await clock.advance(6.0)
    await clock.advance(60.0)
    await asyncio.gather(*target.tasks)


async def test_a_load_of_bulk_leaves_room_in_every_second() -> None:
    clock = FakeClock()
    target = Target(clock, TargetBudget(clock, calls_per_second=20.0), takes=0.02)
    target.ask("safety")
    target.ask("bulk", 400)
    waits: list[float] = []
    for _ in range(20):
        await clock.advance(0.73)
        before = clock.monotonic()
        target.ask("safety", 3)
        await clock.advance(0.2)
        waits += [one - before for one in target.begun["safety"][-3:]]
    assert max(waits) == 0.0, "four of twenty are kept back"
    assert len(target.begun["bulk"]) > 15 * 0.93 * 20 * 0.75, "and bulk has the rest"
    before = clock.monotonic()
    target.ask("safety", 8)
    await clock.advance(1.0)
    assert max(target.begun["safety"][-8:]) - before <= 0.5, "more at once go as the evenly spread places come free"
    for task in target.tasks:
        task.cancel()
    await asyncio.gather(*target.tasks, return_exceptions=True)


async def test_it_can_be_resized_while_calls_wait() -> None:
    clock = FakeClock()
    target = Target(clock, TargetBudget(clock, calls_per_second=4.0, in_flight=1), takes=1.0)
    target.ask("normal", 9)
    await clock.advance(1.5)
    assert len(target.begun["normal"]) == 2
    target.budget.resize(calls_per_second=4.0, in_flight=4)
    await clock.settle()
    assert len(target.begun["normal"]) == 5, "three more at once, for then the second is full"
    target.budget.resize(calls_per_second=0.5, in_flight=4)
    await clock.advance(10.0)
    assert all(later - one >= 2.0 for one, later in zip(target.begun["normal"][4:], target.begun["normal"][5:], strict=False))
    target.budget.resize(calls_per_second=None, in_flight=None)
    await clock.settle()
    assert len(target.begun["normal"]) == 9
    with pytest.raises(ValueError, match="must allow something"):
        target.budget.resize(calls_per_second=None, in_flight=0)
    await clock.advance(5.0)
    await asyncio.gather(*target.tasks)


async def test_who_gets_no_turn_is_told_and_takes_no_place() -> None:
    clock = FakeClock()
    budget = TargetBudget(clock, in_flight=1)
    target = Target(clock, budget, takes=100.0)
    target.ask("safety")
    await clock.settle()
    target.ask("bulk")
    await clock.advance(PATIENCE)
    (late,) = [task for task in target.tasks if task.done()]
    with pytest.raises(NoTurn, match="no-turn"):
        late.result()
    assert (budget.running, budget.waiting) == (1, 0)
    await clock.advance(100.0)
    assert budget.running == 0


async def test_a_lease_that_lapsed_while_a_call_waited_stops_it() -> None:
    class Lease:
        node, holds = "one:1", True

    clock, lease = FakeClock(), Lease()
    budget = TargetBudget(clock, in_flight=1, lease=lease)
    target = Target(clock, budget, takes=1.0)
    target.ask("normal", 2)
    await clock.settle()
    lease.holds = False
    await clock.advance(5.0)
    assert len(target.begun["normal"]) == 1
    with pytest.raises(NoTurn, match="lease-lapsed"):
        target.tasks[1].result()
    assert budget.running == budget.waiting == 0
