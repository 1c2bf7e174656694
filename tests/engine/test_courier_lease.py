"""Couriers whose node has a lease: what happens when it lapses, comes back, or is lost; and what lanes and calls without a turn do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from engine.house import OK, Desk

from isthmus.connectors.port import NoTurn
from isthmus.core import Delivery, Outcome, Retry, Unknown, policy_for
from isthmus.core.classification import Classification
from isthmus.core.policy import Lane
from isthmus.engine.clock import FakeClock
from isthmus.engine.courier import Courier
from isthmus.engine.telemetry import BreakerMoved, Notice
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.suite.samples import due

CARE = Classification(criticality="care", latency="seconds", volume="1k/day")
REPORT = Classification(criticality="reporting", latency="batch", volume="1k/day")
LANES: dict[str, Lane] = {"ward.alarm": "safety", "ward.report": "bulk"}


class Lease:
    def __init__(self) -> None:
        self.node = "one:1"
        self.holds = True


class Ward:
    """A journal with what is due at an endpoint, and its courier."""

    def __init__(self, desk: Desk) -> None:
        self.clock = FakeClock()
        self.journal = MemoryJournal()
        self.lease = Lease()
        self.notices: list[Notice] = []
        policies = {"ward.alarm": policy_for(CARE), "ward.report": policy_for(REPORT)}
        self.courier = Courier(
            "ward",
            desk,
            self.journal,
            policies=policies,
            clock=self.clock,
            rng=random.Random(1),
            lease=self.lease,
            notify=self.notices.append,
        )

    async def plan(self, *keys: str, subscription: str = "ward.report") -> None:
        lane = LANES[subscription]
        await due(self.journal, *keys, endpoint="ward", subscription=subscription, lane=lane, now=self.clock.now())
        self.courier.wake()
        await self.clock.advance(0.05)

    async def states(self, state: str) -> list[str]:
        return sorted(one.key for one in await self.journal.deliveries(state=state))  # type: ignore[arg-type]


@asynccontextmanager
async def ward(desk: Desk) -> AsyncIterator[Ward]:
    one = Ward(desk)
    loops = [one.courier.claiming(), one.courier.settling(), *(one.courier.working() for _ in range(one.courier.workers))]
    tasks = [asyncio.create_task(loop) for loop in loops]
    await one.clock.settle()
    try:
        yield one
        assert not [task for task in tasks if task.done()], "a loop ended by itself"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_lapsed_lease_sends_and_claims_nothing_and_an_extended_one_goes_on_with_what_is_in_hand() -> None:
    desk = Desk()
    desk.gate = asyncio.Event()
    async with ward(desk) as one:
        await one.plan("1", "2", "3", "4")
        assert (desk.running, one.courier.in_hand) == (1, 2)
        one.lease.holds = False
        desk.gate.set()
        await one.clock.advance(30.0)
        assert (len(desk.sent), await one.states("delivered")) == (1, [desk.sent[0].key]), (
            "what was under way is settled, nothing more is sent"
        )
        assert len(await one.states("sending")) == 1, "it stays claimed: nobody buried us"
        one.lease.holds = True
        await one.clock.advance(1.0)
        assert len(await one.states("delivered")) == 4
        assert not desk.checked, "what was never sent need not be checked"


async def test_a_node_that_was_buried_drops_what_it_had_and_settles_nothing_under_its_new_name() -> None:
    desk = Desk(check=lambda _: Retry("not-there"))
    desk.gate = asyncio.Event()
    async with ward(desk) as one:
        await one.plan("1", "2", "3", "4")
        one.lease.holds = False
        assert await one.journal.release("one:1/ward", one.clock.now()) == 2, "it is buried: what it had is others' to check"
        (other,) = await one.journal.claim("ward", 1, one.clock.now(), "two:1/ward")
        desk.gate.set()
        one.lease.node, one.lease.holds = "one:2", True
        await one.clock.advance(1.0)
        assert await one.journal.owners() == ["two:1/ward"], "the other's claim stands, although ours of the same was settled late"
        assert await one.states("sending") == [other.delivery.key]
        assert sorted(one.key for one in desk.checked) == sorted({"1", "2"} - {other.delivery.key})
        assert len(await one.states("delivered")) == 3


async def test_a_lease_that_lapses_between_check_and_send_sends_nothing() -> None:
    def check(_: Delivery) -> Outcome:
        one.lease.holds = False
        return Retry("not-there")

    desk = Desk(lambda _: Unknown("timeout"), check=check)
    async with ward(desk) as one:
        await one.plan("1", subscription="ward.alarm")
        await one.clock.advance(20.0)
        assert (len(desk.checked), len(desk.sent), await one.states("unknown")) == (1, 1, ["1"])


async def test_a_hand_full_of_bulk_still_claims_what_is_critical_and_a_batch_is_of_one_lane() -> None:
    sent: list[tuple[Lane, set[str]]] = []

    class Slow(Desk):
        async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
            sent.append((lane, {one.subscription for one in deliveries}))
            return await super().send(deliveries, timeout, lane=lane)

    desk = Slow(max_batch=2, in_flight=2)
    desk.gate = asyncio.Event()
    async with ward(desk) as one:
        await one.plan(*(f"b{number}" for number in range(50)))
        full = one.courier.in_hand
        assert sent == [("bulk", {"ward.report"})], "the other worker is kept free"
        await one.plan("a1", "a2", "a3", subscription="ward.alarm")
        assert one.courier.in_hand == full + 3
        assert sent[1:] == [("safety", {"ward.alarm"})]
        desk.gate.set()
        await one.clock.advance(0.05)
        assert sent[2] == ("safety", {"ward.alarm"}), "and what is left of it goes before all bulk"


async def test_the_first_through_a_half_open_breaker_is_critical() -> None:
    down = Desk(lambda _: OK if up else Retry("down"), in_flight=2)
    up = False
    async with ward(down) as one:
        await one.plan(*(f"b{number}" for number in range(40)))
        await one.clock.advance(1.0)
        assert one.courier.breaker.state == "open"
        await one.plan("a1", subscription="ward.alarm")
        up = True
        before = len(down.sent)
        await one.clock.advance(10.0)
        assert [one.key for one in down.sent[before:]][:1] == ["a1"]


async def test_calls_that_get_no_turn_are_not_held_against_the_endpoint() -> None:
    class Crowded(Desk):
        async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
            self.sent.extend(deliveries)
            if len(self.sent) <= 30:
                raise NoTurn("no-turn")
            return [OK if len(self.sent) > 60 else Retry("no-time-left", untried=True)] * len(deliveries)

    desk = Crowded()
    async with ward(desk) as one:
        await one.plan("1", "2", "3")
        await one.clock.advance(5_000.0)
        assert len(await one.states("delivered")) == 3
        assert not [notice for notice in one.notices if isinstance(notice, BreakerMoved)]


async def test_one_failed_call_is_one_failure_however_many_it_carried() -> None:
    desk = Desk(lambda _: Retry("busy") if len(desk.batches) < 3 else OK, max_batch=20)
    async with ward(desk) as one:
        await one.plan(*(str(number) for number in range(20)))
        await one.clock.advance(120.0)
        assert not [notice for notice in one.notices if isinstance(notice, BreakerMoved)]
        assert len(await one.states("delivered")) == 20
