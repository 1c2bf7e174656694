"""Redeliver and reprocess: two acts that are never mixed; a diff first, and only what was shown is applied."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from engine.house import CARE, OFFICE, Desk, House, Price, Said, note, office, price_of, say, saying, ward

from isthmus.core import Bug, Delivery, Event, Lookup, Rejected, Transient, subscribe
from isthmus.core.outcome import Retry
from isthmus.engine.diff import FieldChange
from isthmus.journals.memory import MemoryJournal

WHO = {"by": "anna", "why": "tariff mended"}


def billing(text: str = "v1", *, extra: bool = False, ask: str = "") -> Any:
    """Releases of one subscription: what it writes, whether it bills twice, and what else it asks."""

    @subscribe(Said, to=office, owner="office", classification=OFFICE, name="office.bill")
    async def bill(event: Said) -> AsyncIterator[Delivery]:
        price = await price_of(ask or event.text)
        body = b'{"text":"%s","lines":[%d]}' % (text.encode(), price.amount)
        yield Delivery(endpoint="office", operation="bill", key=event.number, body=body)
        if extra:
            yield Delivery(endpoint="office", operation="bill", key=f"{event.number}-extra", body=b'{"text":"extra"}')

    return bill


async def message_id(house: House, number: int | str = 1) -> str:
    return (await house.story_of(number)).message.id


async def test_redelivering_sends_the_same_bytes_under_the_same_id_and_plans_nothing() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(),)) as house:
        await house.say(say(1))
        first = house.office.sent[0]
    async with House(journal=journal, subscriptions=(billing("v2"),), clock=house.clock) as house:
        assert await house.engine.replay.redeliver([first.id], **WHO) == [first.id]
        await house.clock.settle()
        assert [(one.id, one.body) for one in house.office.sent] == [(first.id, first.body)]
        assert house.office.looked == []
        story = await house.story_of(1)
        assert [(one.by, one.detail) for one in story.steps if one.stage == "redelivered"] == [("anna", "tariff mended")]


async def test_a_preview_shows_the_difference_field_by_field_and_changes_nothing() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(),)) as house:
        await house.say(say(1))
    async with House(journal=journal, subscriptions=(billing("v2", extra=True),), clock=house.clock) as house:
        before = await house.story_of(1)
        diff = await house.engine.replay.preview(await message_id(house))
        assert diff.events == ()
        assert [(one.change, one.key, one.state) for one in diff.deliveries] == [("changed", "1", "delivered"), ("added", "1-extra", "")]
        assert diff.deliveries[0].fields == (FieldChange("/text", "v1", "v2"),)
        assert not diff.empty
        assert diff.asked_anew == 0
        assert house.office.looked == [], "recorded answers are used"
        await house.clock.advance(5.0)
        assert await house.story_of(1) == before
        assert house.office.sent == []


async def test_applying_keeps_exactly_what_was_shown_and_says_who_and_why() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(),)) as house:
        await house.say(say(1))
        first = house.office.sent[0]
    async with House(journal=journal, subscriptions=(billing("v2", extra=True),), clock=house.clock) as house:
        diff = await house.engine.replay.preview(await message_id(house))
        fresh = await house.engine.replay.apply(diff, **WHO)
        await house.clock.settle()
        assert {one.id for one in house.office.sent} == set(fresh)
        assert {(one.key, one.supersedes) for one in house.office.sent} == {("1", first.id), ("1-extra", "")}
        story = await house.story_of(1)
        assert [(one.by, one.detail) for one in story.steps if one.stage == "reprocessed"] == [("anna", "tariff mended")]
        again = await house.engine.replay.preview(await message_id(house))
        assert again.empty, "reprocessed once, there is nothing left to change"


async def test_the_same_code_changes_nothing() -> None:
    async with House(subscriptions=(billing(), note)) as house:
        await house.say(say(1))
        diff = await house.engine.replay.preview(await message_id(house))
        assert diff.empty
        assert await house.engine.replay.apply(diff, **WHO) == []
        await house.clock.advance(2.0)
        assert (len(house.office.sent), len(house.ward.sent)) == (1, 1)


@pytest.mark.parametrize(("answers", "amount", "asked"), [("recorded", 7, 0), ("fresh", 9, 1)])
async def test_questions_get_the_answers_of_then_or_of_now(answers: Any, amount: int, asked: int) -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(),)) as house:
        await house.say(say(1))
    desks = {"office": Desk(look=lambda _: Price(9))}
    async with House(journal=journal, subscriptions=(billing(),), desks=desks, clock=house.clock) as house:
        diff = await house.engine.replay.preview(await message_id(house), answers)
        assert [one.fields for one in diff.deliveries] == ([] if amount == 7 else [(FieldChange("/lines/0", 7, 9),)])
        assert (diff.asked_anew, len(house.office.looked)) == (asked, asked)


async def test_a_question_that_was_never_asked_is_asked_now_and_marked() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(),)) as house:
        await house.say(say(1))
    async with House(journal=journal, subscriptions=(billing(ask="new"),), clock=house.clock) as house:
        diff = await house.engine.replay.preview(await message_id(house))
        assert diff.asked_anew == 1


async def test_a_preview_is_refused_when_the_world_has_moved_on() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(),)) as house:
        await house.say(say(1))
    async with House(journal=journal, subscriptions=(billing("v2"),), clock=house.clock) as house:
        one = await house.engine.replay.preview(await message_id(house))
        other = await house.engine.replay.preview(await message_id(house))
        await house.engine.replay.apply(one, **WHO)
        with pytest.raises(Rejected, match="preview-outdated"):
            await house.engine.replay.apply(other, **WHO)


async def test_waiting_deliveries_may_move_while_a_person_reads() -> None:
    desk = Desk(lambda _: Retry("down"))
    async with House(subscriptions=(billing(),), desks={"office": desk}) as house:
        await house.say(say(1))
        diff = await house.engine.replay.preview(await message_id(house))
        await house.clock.advance(7.0)
        await house.engine.replay.apply(diff, **WHO)


async def test_a_message_that_failed_by_a_bug_is_planned_after_the_fix() -> None:
    journal = MemoryJournal()
    async with House(journal=journal) as house:
        await house.say(say(1, text="bug"))
        assert (await house.story_of(1)).message.state == "failed"
        still = await house.engine.replay.preview(await message_id(house))
        assert (still.old_state, still.new_state, still.reason) == ("failed", "failed", "exception")
    fixed = saying()
    fixed.translators["SAY"] = lambda document: iter([Said(number=document[2], patient=document[3], text="mended")])
    async with House(journal=journal, interfaces=(fixed,), clock=house.clock) as house:
        diff = await house.engine.replay.preview(await message_id(house))
        assert (diff.old_state, diff.new_state) == ("failed", "translated")
        assert [one.change for one in (*diff.events, *diff.deliveries)] == ["added", "added"]
        await house.engine.replay.apply(diff, **WHO)
        await house.clock.settle()
        assert house.ward.bodies == ["mended"]
        assert (await house.story_of(1)).message.state == "translated"


@pytest.mark.parametrize("body", [say(1, kind="SING"), say(1, text="")])
async def test_what_was_refused_or_invalid_is_planned_once_the_interface_takes_it(body: bytes) -> None:
    journal = MemoryJournal()
    async with House(journal=journal) as house:
        await house.say(body)
        if b"SING" in body:
            with pytest.raises(Rejected, match="no-interface"):
                await house.engine.replay.preview(await message_id(house))
    wider: Any = saying(kinds=("SAY", "SING"))
    wider.contract._check = lambda _: ()
    async with House(journal=journal, interfaces=(wider,), clock=house.clock) as house:
        await house.engine.replay.apply(await house.engine.replay.preview(await message_id(house)), **WHO)
        await house.clock.settle()
        assert len(house.ward.sent) == 1


async def test_what_is_planned_no_more_is_withdrawn_while_it_waits() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, subscriptions=(billing(extra=True),), desks={"office": Desk(lambda _: Retry("down"))}) as house:
        await house.say(say(1))
    async with House(journal=journal, subscriptions=(billing(),), clock=house.clock) as house:
        house.office.down = Transient("down")
        diff = await house.engine.replay.preview(await message_id(house))
        assert [(one.change, one.key) for one in diff.deliveries] == [("removed", "1-extra")]


async def test_a_dead_letter_of_an_unplannable_event_gives_way_to_its_deliveries() -> None:
    def refuse(_: Lookup[Price]) -> object:
        raise Rejected("no-such-article")

    desk = Desk(look=refuse)
    async with House(subscriptions=(billing(),), desks={"office": desk}) as house:
        await house.say(say(1, "a"), say(2, "a", text="other"))
        assert len(await house.journal.deliveries(state="dead")) == 1, "the second waits behind the first: one patient, one line"
        shown = await house.engine.replay.preview(await message_id(house))
        assert shown.empty, "nothing has changed: it is as unplannable as before"
        desk.look_one = lambda _: Price(7)
        for number in (1, 2):
            diff = await house.engine.replay.preview(await message_id(house, number), "fresh")
            assert sorted((one.change, one.operation) for one in diff.deliveries) == [("added", "bill"), ("removed", "isthmus.unplannable")]
            await house.engine.replay.apply(diff, **WHO)
        await house.clock.advance(2.0)
        assert [one.key for one in desk.sent] == ["1", "2"]
        assert [len(await house.journal.deliveries(state=state)) for state in ("superseded", "dead")] == [2, 0]


async def test_events_are_compared_too() -> None:
    journal = MemoryJournal()
    async with House(journal=journal) as house:
        await house.say(say(1))
    louder = saying()

    def loud(document: list[str]) -> Iterator[Event]:
        yield Said(number=document[2], patient=document[3], text="HELLO")
        yield Said(number=f"{document[2]}b", patient=document[3], text="again")

    louder.translators["SAY"] = loud
    async with House(journal=journal, interfaces=(louder,), clock=house.clock) as house:
        diff = await house.engine.replay.preview(await message_id(house))
        assert (diff.events[0].change, diff.events[0].fields) == ("changed", (FieldChange("/text", "hello", "HELLO"),))
        assert [one.change for one in diff.events] == ["changed", "added"]
        assert diff.deliveries[0].fields == (FieldChange("", "hello", "HELLO"),)


async def test_what_cannot_be_reprocessed_says_why() -> None:
    async with House() as house:
        with pytest.raises(Rejected, match="no-such-message"):
            await house.engine.replay.preview("0" * 32)
        await house.say(say(1))
        await house.clock.jump(91 * 86_400.0)
        await house.clock.advance(1.0)
        with pytest.raises(Rejected, match="body-pruned"):
            await house.engine.replay.preview(await message_id(house))


async def test_a_bug_in_a_subscription_is_raised_and_not_hidden_in_a_diff() -> None:
    journal = MemoryJournal()
    async with House(journal=journal) as house:
        await house.say(say(1))

    @subscribe(Said, to=ward, owner="ward", classification=CARE, name="ward.note")
    def broken(event: Said) -> Iterator[Delivery]:
        raise ZeroDivisionError
        yield

    async with House(journal=journal, subscriptions=(broken,), clock=house.clock) as house:
        with pytest.raises(Bug, match="ZeroDivisionError"):
            await house.engine.replay.preview(await message_id(house))
