"""Couriers: order, batches, retries, unknown outcomes, the breaker, a client that is broken, lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from engine.house import CARE, OFFICE, OK, Desk, House, Said, note, say, ward

from isthmus.core import Classification, Delivery, Outcome, Rejected, Retry, Transient, Unknown, subscribe
from isthmus.core.outcome import Reject
from isthmus.engine.telemetry import BreakerMoved, DeliveriesDied, EndpointPaused
from isthmus.journals.memory import MemoryJournal

DOWN = Retry("down")


def house_with(desk: Desk, **others: object) -> House:
    return House(desks={"ward": desk}, **others)  # type: ignore[arg-type]


async def test_order_holds_per_key_and_others_overtake() -> None:
    stuck = True
    desk = Desk(lambda one: DOWN if stuck and one.ordering_key == "a" else OK)
    async with house_with(desk) as house:
        await house.say(say(1, "a"), say(2, "a"), say(3, "b"), say(4, "b"))
        assert [one.key for one in desk.sent if one.ordering_key == "b"] == ["3", "4"]
        assert {one.key for one in desk.sent if one.ordering_key == "a"} == {"1"}
        stuck = False
        await house.clock.advance(5.0)
        assert await house.states(1) == await house.states(2) == ["delivered"]
        assert [one.key for one in desk.sent if one.ordering_key == "a"][-2:] == ["1", "2"]


async def test_batches_and_sends_in_flight_are_the_clients() -> None:
    desk = Desk(max_batch=10, in_flight=3)
    desk.gate = asyncio.Event()
    async with house_with(desk) as house:
        await house.say(*(say(number, patient=str(number)) for number in range(100)))
        assert (desk.running, max(desk.batches)) == (3, 10)
        desk.gate.set()
        await house.clock.settle()
        await house.clock.settle()
        assert desk.most_running == 3
        assert sorted(int(one.key) for one in desk.sent) == list(range(100))


async def test_a_retry_sends_the_same_bytes_under_the_same_id_later_each_time() -> None:
    times: list[float] = []

    def send(_: Delivery) -> Outcome:
        times.append(house.clock.monotonic())
        return DOWN if len(times) < 6 else OK

    desk = Desk(send)
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(60.0)
        assert len(times) == 6
        assert len({(one.id, one.body) for one in desk.sent}) == 1
        assert len(set(times)) > 3, "pauses, not a spin"
        story = await house.story_of(1)
        assert [one.code for one in story.steps if one.stage == "attempt"] == ["down"] * 5 + ["delivered"]


async def test_a_retry_is_on_time_and_not_only_at_the_next_poll() -> None:
    desk = Desk(lambda _: OK if len(desk.sent) > 1 else Retry("busy", after=0.3))
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(0.29)
        assert len(desk.sent) == 1
        await house.clock.advance(0.3)
        assert len(desk.sent) == 2


async def test_the_receivers_wish_is_honoured() -> None:
    desk = Desk(lambda _: Retry("busy", after=100.0))
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(99.0)
        assert len(desk.sent) == 1
        await house.clock.advance(2.0)
        assert len(desk.sent) == 2


async def test_a_reject_is_a_dead_letter_and_holds_its_key_alone() -> None:
    desk = Desk(lambda one: Reject("AE", "unknown patient") if one.key == "1" else OK)
    async with house_with(desk) as house:
        await house.say(say(1, "a"), say(2, "a"), say(3, "b"))
        (dead,) = await house.journal.deliveries(state="dead")
        assert (dead.key, dead.reason) == ("1", "rejected")
        assert await house.states(2) == ["due"]
        assert await house.states(3) == ["delivered"]
        (told,) = house.told(DeliveriesDied)
        assert (told.reason, told.code, told.deliveries, told.delivery_id) == ("rejected", "AE", 1, dead.id)
        desk.send_one = lambda _: OK
        await house.engine.replay.redeliver([dead.id], by="anna", why="patient added")
        await house.clock.settle()
        assert [one.key for one in desk.sent] == ["1", "3", "1", "2"]


async def test_who_fails_for_too_long_is_given_to_a_person() -> None:
    desk = Desk(lambda _: DOWN)
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.jump(8 * 86_400.0)
        await house.clock.advance(120.0)
        (dead,) = await house.journal.deliveries(state="dead")
        assert dead.reason == "gave-up"


# ---- unknown outcomes


@pytest.mark.parametrize(
    ("found", "sends", "state"), [(OK, 1, "delivered"), (Retry("not-there"), 2, "delivered"), (Reject("never-known"), 1, "dead")]
)
async def test_what_is_unknown_is_checked_before_anything_is_sent_again(found: Outcome, sends: int, state: str) -> None:
    desk = Desk(lambda _: Unknown("timeout") if len(desk.sent) == 1 else OK, check=lambda _: found)
    async with house_with(desk) as house:
        await house.say(say(1))
        assert await house.states(1) == ["unknown"]
        await house.clock.advance(5.0)
        assert (len(desk.checked), len(desk.sent), await house.states(1)) == (1, sends, [state])


async def test_a_check_that_cannot_say_is_repeated_and_nothing_is_sent_meanwhile() -> None:
    desk = Desk(lambda _: Unknown("timeout"), check=lambda _: Unknown("still"))
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(30.0)
        assert len(desk.checked) > 2
        assert len(desk.sent) == 1


async def test_a_client_that_hangs_is_interrupted_and_its_outcome_unknown() -> None:
    desk = Desk(check=lambda _: OK)
    desk.gate = asyncio.Event()
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(69.0)
        assert await house.states(1) == ["sending"]
        await house.clock.advance(5.0)
        assert (len(desk.checked), await house.states(1)) == (1, ["delivered"])


# ---- the breaker


async def test_an_endpoint_that_is_down_burns_no_attempts_and_is_found_again() -> None:
    desk = Desk(lambda _: DOWN if desk.down else OK)
    async with house_with(desk) as house:
        desk.down = Transient("down")
        await house.say(*(say(number, patient=str(number)) for number in range(40)))
        await house.clock.advance(60.0)
        assert house.engine.status().endpoints["ward"].breaker == "open"
        burnt = len(desk.sent)
        pinged = desk.pings
        await house.clock.advance(300.0)
        assert len(desk.sent) == burnt, "while it is open, nothing is tried"
        assert 30 < desk.pings - pinged <= 60, "it is probed every five seconds"
        desk.down = None
        await house.clock.advance(30.0)
        assert house.engine.status().endpoints["ward"].breaker == "closed"
        assert all([await house.states(number) == ["delivered"] for number in range(40)])
        assert [one.state for one in house.told(BreakerMoved)][-2:] == ["half-open", "closed"]


async def test_an_answered_ping_is_not_enough_one_delivery_must_succeed() -> None:
    desk = Desk(lambda _: DOWN, max_batch=5, in_flight=4)
    async with house_with(desk) as house:
        await house.say(*(say(number, patient=str(number)) for number in range(60)))
        await house.clock.advance(30.0)
        desk.batches.clear()
        await house.clock.advance(60.0)
        assert len(desk.batches) >= 5, "half-open lets one through from time to time"
        assert set(desk.batches) == {1}, "and never more than one"
        assert len(desk.batches) <= 13


async def test_an_endpoint_that_is_away_at_the_start_holds_nobody_and_is_opened_later() -> None:
    desk = Desk()
    desk.down = Transient("down")
    async with house_with(desk) as house:
        await house.say(say(1))
        assert house.bedside.codes == ["AA"]
        assert desk.sent == []
        desk.down = None
        await house.clock.advance(30.0)
        assert len(desk.sent) == 1


async def test_a_wrong_configuration_pauses_one_endpoint_and_says_the_cure() -> None:
    desk = Desk()
    desk.down = Rejected("denied", "renew endpoints.ward.key")
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(130.0)
        assert [one.detail for one in house.told(EndpointPaused)] == ["renew endpoints.ward.key"] * 3
        desk.down = None
        await house.clock.advance(60.0)
        assert len(desk.sent) == 1


# ---- a broken client


async def test_a_client_that_raises_has_an_unknown_outcome_and_the_endpoint_pauses() -> None:
    def send(_: Delivery) -> Outcome:
        if len(desk.sent) == 1:
            raise KeyError("secret")
        return OK

    desk = Desk(send, check=lambda _: Retry("not-there"))
    async with house_with(desk) as house:
        await house.say(say(1))
        assert await house.states(1) == ["unknown"]
        (told,) = house.told(EndpointPaused)
        assert "secret" not in told.line()
        await house.clock.advance(59.0)
        assert len(desk.sent) == 1
        await house.clock.advance(3.0)
        assert (len(desk.checked), await house.states(1)) == (1, ["delivered"])


async def test_one_delivery_that_breaks_the_client_soon_stands_alone() -> None:
    def send(one: Delivery) -> Outcome:
        if one.key == "3":
            raise KeyError("poison")
        return OK

    desk = Desk(send, check=lambda _: Retry("not-there"), max_batch=10)
    async with house_with(desk) as house:
        await house.say(*(say(number, patient=str(number)) for number in range(6)))
        await house.clock.advance(600.0)
        (dead,) = await house.journal.deliveries(state="dead")
        assert (dead.key, dead.reason) == ("3", "client-bug")
        assert all([await house.states(number) == ["delivered"] for number in range(6) if number != 3])


async def test_a_client_that_forgets_an_outcome_or_cancels_itself_is_broken_too() -> None:
    class Forgetful(Desk):
        async def send(self, deliveries, timeout, *, lane="normal"):  # type: ignore[no-untyped-def]
            await super().send(deliveries, timeout, lane=lane)
            if len(self.sent) == 1:
                return []
            if len(self.sent) == 2:
                raise asyncio.CancelledError
            return [OK]

    desk = Forgetful(check=lambda _: Retry("not-there"))
    async with house_with(desk) as house:
        await house.say(say(1))
        await house.clock.advance(200.0)
        assert len(house.told(EndpointPaused)) == 2
        assert await house.states(1) == ["delivered"]


# ---- lanes, stopping


async def test_safety_does_not_wait_behind_bulk_that_is_in_hand() -> None:
    bulk = Classification(criticality="reporting", latency="batch", volume="1k/day")

    @subscribe(Said, to=ward, owner="ward", classification=bulk, name="ward.report")
    def report(event: Said) -> Iterator[Delivery]:
        if event.text == "bulk":
            yield Delivery(endpoint="ward", operation="report", key=event.number, body=b"bulk", ordering_key=f"r{event.number}")

    @subscribe(Said, to=ward, owner="ward", classification=CARE, name="ward.alarm")
    def alarm(event: Said) -> Iterator[Delivery]:
        if event.text == "alarm":
            yield Delivery(endpoint="ward", operation="alarm", key=event.number, body=b"alarm", ordering_key=f"a{event.number}")

    desk = Desk(in_flight=4)
    desk.gate = asyncio.Event()
    async with House(subscriptions=(report, alarm), desks={"ward": desk}) as house:
        await house.say(*(say(number, text="bulk") for number in range(4)))
        assert desk.running == 3, "one worker is kept free"
        await house.say(say(99, text="alarm"))
        assert desk.bodies[-1] == "alarm"


async def test_stopping_leaves_what_was_being_sent_unknown_and_returns_the_rest() -> None:
    journal, desk = MemoryJournal(), Desk()
    desk.gate = asyncio.Event()
    house = House(desks={"ward": desk}, journal=journal)
    async with house:
        await house.say(*(say(number, patient=str(number)) for number in range(4)))
        assert (desk.running, house.engine.status().endpoints["ward"].in_hand) == (1, 2)
    assert await journal.owners() == []
    assert [len(await journal.deliveries(state=state)) for state in ("unknown", "due", "sending")] == [1, 3, 0]  # type: ignore[arg-type]
    assert not desk.opened
    again = Desk(check=lambda _: OK)
    async with House(desks={"ward": again}, journal=journal, clock=house.clock) as second:
        await second.clock.advance(5.0)
        assert (len(again.checked), len(again.sent)) == (1, 3)


async def test_deliveries_of_a_subscription_that_is_gone_are_still_sent() -> None:
    journal = MemoryJournal()
    down = Desk(lambda _: DOWN)
    async with House(desks={"ward": down}, journal=journal) as house:
        await house.say(say(1))

    @subscribe(Said, to=ward, owner="ward", classification=OFFICE, name="ward.renamed")
    def renamed(event: Said) -> Iterator[Delivery]:
        yield from ()

    async with House(subscriptions=(renamed,), journal=journal, clock=house.clock) as house:
        await house.clock.advance(3.0)
        assert len(house.ward.sent) == 1
    assert note.name == "ward.note"
