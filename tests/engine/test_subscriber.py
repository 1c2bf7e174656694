"""Subscribers: questions, failures, and that none holds another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from engine.house import CARE, OFFICE, Desk, House, Price, Said, bill, note, office, price_of, say, ward

from isthmus.core import Bug, Delivery, Lookup, Rejected, Transient, lookups, subscribe
from isthmus.core.policy import Lane
from isthmus.engine.subscriber import REJECTED_IN_A_ROW
from isthmus.engine.telemetry import EventUnplannable, SubscriptionDelayed, SubscriptionOrphaned, SubscriptionStopped
from isthmus.journals.memory import MemoryJournal


def failing(failure: Exception) -> Desk:
    def look(lookup: Lookup[Price]) -> object:
        if lookup.args == ("rare",):
            raise failure
        return Price(7)

    return Desk(look=look)


async def test_answers_are_recorded_but_never_pseudonyms() -> None:
    async with House(subscriptions=(bill,)) as house:
        await house.say(say(1))
        story = await house.story_of(1)
        answers = await house.journal.answers(story.events[0].id, "office.bill")
        assert [(one.endpoint, one.name, one.body) for one in answers] == [("office", "price", b'{"amount":7}')]


async def test_questions_of_one_round_and_of_neighbours_are_asked_together() -> None:
    most = now = 0

    @subscribe(Said, to=office, owner="office", classification=OFFICE, name="office.both")
    async def both(event: Said) -> AsyncIterator[Delivery]:
        first, second = await lookups(price_of(event.text), price_of(event.number))
        yield Delivery(endpoint="office", operation="bill", key=event.number, body=str(first.amount + second.amount).encode())

    class Counting(Desk):
        async def look(self, lookup: Lookup[Price], timeout: float, *, lane: Lane = "normal") -> object:
            nonlocal most, now
            now += 1
            most = max(most, now)
            for _ in range(10):
                await asyncio.sleep(0)
            now -= 1
            return Price(7)

    async with House(subscriptions=(both,), desks={"office": Counting()}) as house:
        await house.say(*(say(number) for number in range(5)))
        await house.clock.settle()
        assert house.office.bodies == ["14"] * 5
        assert most == 10


async def test_an_answer_is_kept_as_long_as_the_question_allows() -> None:
    @subscribe(Said, to=office, owner="office", classification=OFFICE, name="office.cached")
    async def cached(event: Said) -> AsyncIterator[Delivery]:
        price = await price_of("all", max_age=60.0)
        yield Delivery(endpoint="office", operation="bill", key=event.number, body=str(price.amount).encode())

    async with House(subscriptions=(cached,)) as house:
        await house.say(*(say(number) for number in range(5)))
        await house.say(say(6))
        assert len(house.office.looked) == 1
        await house.clock.advance(61.0)
        await house.say(say(7))
        assert len(house.office.looked) == 2
        assert len(house.office.sent) == 7


async def test_a_question_that_cannot_be_answered_now_holds_its_own_subscription_only() -> None:
    down = Transient("down")
    desk = failing(down)
    async with House(subscriptions=(bill, note), desks={"office": desk, "ward": Desk()}) as house:
        await house.say(say(1), say(2), say(3, text="rare"), say(4))
        assert len(house.ward.sent) == 4
        assert [one.key for one in house.office.sent] == ["1", "2"], "the events before it are committed and sent"
        assert house.engine.status().subscriptions["office.bill"].state == "waiting"
        await house.clock.advance(20.0)
        assert len(house.told(SubscriptionDelayed)) > 2
        asked = len([one for one in desk.looked if one.args == ("rare",)])
        assert asked < 30, "it backs off"
        desk.look_one = lambda _: Price(8)
        await house.clock.advance(60.0)
        assert [one.key for one in house.office.sent] == ["1", "2", "3", "4"]


async def test_a_rejected_question_becomes_a_dead_letter_that_holds_its_own_key_only() -> None:
    async with House(subscriptions=(bill,), desks={"office": failing(Rejected("no-such-article", "add it"))}) as house:
        await house.say(say(1, patient="a"), say(2, patient="a", text="rare"), say(3, patient="a"), say(4, patient="b"))
        assert [one.key for one in house.office.sent] == ["1", "4"]
        (dead,) = await house.journal.deliveries(state="dead")
        assert (dead.operation, dead.reason, dead.ordering_key) == ("isthmus.unplannable", "rejected", "a")
        assert [one.code for one in house.told(EventUnplannable)] == ["no-such-article"]
        assert house.engine.status().endpoints["office"].breaker == "closed"
        assert await house.states(3) == ["due"]
        await house.journal.abandon([dead.id], "anna", "not billable", house.clock.now())
        await house.clock.advance(1.1)
        assert [one.key for one in house.office.sent] == ["1", "4", "3"]


async def test_when_everything_is_rejected_it_is_not_about_the_events() -> None:
    async with House(subscriptions=(bill, note), desks={"office": failing(Rejected("denied", "renew the key")), "ward": Desk()}) as house:
        await house.say(*(say(number, patient=str(number), text="rare") for number in range(50)))
        (stopped,) = house.told(SubscriptionStopped)
        assert stopped.code == "denied"
        assert len(await house.journal.deliveries(state="dead")) == REJECTED_IN_A_ROW - 1
        assert len(house.ward.sent) == 50
        house.office.look_one = lambda _: Price(1)
        await house.journal.resume("office.bill", house.clock.now())
        await house.clock.advance(1.1)
        assert len(house.office.sent) == 50 - (REJECTED_IN_A_ROW - 1)


async def test_a_bug_stops_its_subscription_at_the_event_and_nothing_is_skipped() -> None:
    broken = True

    @subscribe(Said, to=office, owner="office", classification=OFFICE, name="office.broken")
    def fragile(event: Said) -> Iterator[Delivery]:
        if broken and event.number == "3":
            raise ZeroDivisionError
        yield Delivery(endpoint="office", operation="bill", key=event.number, body=b"1")

    journal = MemoryJournal()
    async with House(subscriptions=(fragile, note), journal=journal) as house:
        await house.say(*(say(number) for number in range(1, 6)))
        await house.clock.advance(5.0)
        assert [one.key for one in house.office.sent] == ["1", "2"]
        assert len(house.ward.sent) == 5
        assert house.engine.status().subscriptions["office.broken"].state == "stopped"
        (told,) = house.told(SubscriptionStopped)
        assert "ZeroDivisionError" in told.detail
        (position,) = [one for one in await journal.positions() if one.subscription == "office.broken"]
        assert (position.stopped, position.waiting) == ("exception", 3)
    broken = False
    async with House(subscriptions=(fragile, note), journal=journal) as house:
        assert house.engine.status().subscriptions["office.broken"].state == "stopped", "a restart does not resume it"
        await journal.resume("office.broken", house.clock.now())
        await house.clock.advance(1.1)
        assert [one.key for one in house.office.sent] == ["3", "4", "5"]


@pytest.mark.parametrize("what", ["client", "await"])
async def test_bugs_around_questions_stop_it_too(what: str) -> None:
    @subscribe(Said, to=office, owner="office", classification=OFFICE, name="office.impure")
    async def impure(event: Said) -> AsyncIterator[Delivery]:
        if what == "await":
            await asyncio.sleep(1)
        await price_of("rare")
        yield Delivery(endpoint="office", operation="bill", key=event.number, body=b"1")

    async with House(subscriptions=(impure,), desks={"office": failing(KeyError("secret"))}) as house:
        await house.say(say(1))
        (told,) = house.told(SubscriptionStopped)
        assert told.code == {"client": "client-exception", "await": "not-a-lookup"}[what]
        assert "secret" not in told.line()


async def test_a_new_subscription_hears_what_happens_from_now_on() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(note,)) as house:
        await house.say(say(1))
    async with House(journal=journal, subscriptions=(note, bill)) as house:
        await house.say(say(2))
        assert [one.key for one in house.office.sent] == ["2"]


async def test_events_that_wait_for_a_subscription_that_is_gone_are_told() -> None:
    journal = MemoryJournal()

    @subscribe(Said, to=ward, owner="ward", classification=CARE, name="ward.old")
    def old(event: Said) -> Iterator[Delivery]:
        raise Bug("stop-here")
        yield

    async with House(journal=journal, subscriptions=(old,)) as house:
        await house.say(say(1), say(2))
    async with House(journal=journal, subscriptions=(note,)) as house:
        assert [(one.subscription, one.waiting) for one in house.told(SubscriptionOrphaned)] == [("ward.old", 2)]
