"""Reprocessing: what a message means now takes the place of what it meant, and nothing is sent twice or lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import structs

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.core.ids import derive_id
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.journals.port import Journal, Planned, Translated
from isthmus.journals.suite.samples import (
    BILL,
    DISCHARGED,
    ME,
    START,
    at,
    claim,
    dead,
    delivered,
    delivery,
    envelope,
    event,
    keys,
    message,
    received,
    retried,
    stored,
    unknown,
)  # fmt: skip


class Case:
    """One message with one event and its deliveries, that is to be reprocessed."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.message = message("A1")
        self.event = envelope(self.message, "visit-1")

    def planned(self, key: str, body: str, line: str = "patient/1") -> Delivery:
        return delivery(self.event, key, ordering_key=line, body=body.encode())

    async def begin(self, *deliveries: Delivery) -> None:
        await self.journal.enrol(BILL, frozenset((DISCHARGED,)))
        await received(self.journal, self.message)
        await self.journal.translated([Translated(message_id=self.message.id, events=(self.event,))], START)
        (kept,) = await self.journal.upcoming(BILL, 10)
        await self.journal.planned(BILL, kept.seq, [Planned(event_id=kept.id, deliveries=deliveries)], START)

    async def again(self, *deliveries: Delivery, event: Envelope | None = None, answers: tuple[Answer, ...] = ()) -> Sequence[str]:
        event = event or self.event
        result = Translated(message_id=self.message.id, events=(event,))
        planned: dict[str, Sequence[Planned]] = {BILL: [Planned(event_id=event.id, deliveries=deliveries, answers=answers)]}
        return await self.journal.reprocess(self.message.id, result, planned, by="ann", why="tariff mended", now=at(60))

    async def state(self, id: str) -> str:
        return (await stored(self.journal, id)).state


def successor(old: Delivery, body: str) -> str:
    return derive_id("reprocess", old.id, body.encode())


@pytest.mark.asyncio
class TestReprocess:
    async def test_the_same_meaning_changes_nothing(self, journal: Journal) -> None:
        case = Case(journal)
        one, two = case.planned("a", "1"), case.planned("b", "2", line="")
        await case.begin(one, two)
        await claim(journal)
        await journal.settle([delivered(one.id)], ME)
        assert list(await case.again(one, two)) == []
        assert [await case.state(each.id) for each in (one, two)] == ["delivered", "sending"]
        assert await keys(journal, now=at(60)) == []

    async def test_other_bytes_supersede_what_waits_and_take_its_place_in_the_line(self, journal: Journal) -> None:
        case = Case(journal)
        one, two = case.planned("a", "old"), case.planned("b", "same")
        await case.begin(one, two)
        new = case.planned("a", "new")
        assert list(await case.again(new, two)) == [successor(one, "new")]
        assert [await case.state(one.id), await case.state(two.id)] == ["superseded", "due"]
        (first,) = await claim(journal, now=at(60))
        assert first.delivery == structs.replace(new, id=successor(one, "new"), supersedes=one.id)
        await journal.settle([delivered(first.delivery.id)], ME)
        assert await keys(journal, now=at(60)) == ["b"]

    async def test_other_bytes_supersede_what_was_delivered(self, journal: Journal) -> None:
        case = Case(journal)
        one = case.planned("a", "old")
        await case.begin(one)
        await claim(journal)
        await journal.settle([delivered(one.id)], ME)
        assert list(await case.again(case.planned("a", "new"))) == [successor(one, "new")]
        assert await case.state(one.id) == "superseded"
        assert [taken.delivery.body for taken in await claim(journal, now=at(60))] == [b"new"]

    async def test_a_dead_one_is_superseded_and_frees_its_line(self, journal: Journal) -> None:
        case = Case(journal)
        one, two = case.planned("a", "bad"), case.planned("b", "good")
        await case.begin(one, two)
        await claim(journal)
        await journal.settle([dead(one.id)], ME)
        await case.again(case.planned("a", "mended"), two)
        assert await case.state(one.id) == "superseded"
        (first,) = await claim(journal, now=at(60))
        assert (first.delivery.body, first.attempt) == (b"mended", 1)

    async def test_what_is_planned_no_more_is_superseded_where_it_waits(self, journal: Journal) -> None:
        case = Case(journal)
        gone, dying, done, stays = (case.planned(key, key, line="") for key in ("gone", "dying", "done", "stays"))
        await case.begin(dying, done, gone, stays)
        await claim(journal, limit=2)
        await journal.settle([dead(dying.id), delivered(done.id)], ME)
        assert list(await case.again(stays)) == []
        assert [await case.state(each.id) for each in (gone, dying, done, stays)] == ["superseded", "superseded", "delivered", "due"]
        assert await keys(journal, now=at(60)) == ["stays"]

    async def test_an_event_that_is_no_more_takes_its_waiting_deliveries_with_it(self, journal: Journal) -> None:
        case = Case(journal)
        one = case.planned("a", "1")
        await case.begin(one)
        nothing = Translated(message_id=case.message.id)
        assert list(await journal.reprocess(case.message.id, nothing, {}, by="ann", why="no discharge", now=at(60))) == []
        assert await case.state(one.id) == "superseded"
        story = await journal.story(case.message.id)
        assert story is not None
        assert story.events == ()

    async def test_what_is_being_sent_is_superseded_when_its_outcome_is_known(self, journal: Journal) -> None:
        case = Case(journal)
        one = case.planned("a", "old")
        await case.begin(one)
        await claim(journal)
        (new,) = await case.again(case.planned("a", "new"))
        assert await case.state(one.id) == "sending"
        assert await keys(journal, now=at(60)) == []
        await journal.settle([unknown(one.id)], ME)
        (checked,) = await claim(journal, now=at(60))
        assert (checked.delivery.id, checked.unknown) == (one.id, True)
        await journal.settle([retried(one.id, not_before=at(99))], ME)  # it had no effect: the old bytes are not tried again
        assert await case.state(one.id) == "superseded"
        assert [taken.delivery.id for taken in await claim(journal, now=at(60))] == [new]

    async def test_reprocessing_twice_supersedes_once(self, journal: Journal) -> None:
        case = Case(journal)
        one = case.planned("a", "old")
        await case.begin(one)
        assert len(await case.again(case.planned("a", "new"))) == 1
        assert list(await case.again(case.planned("a", "new"))) == []
        assert len(await claim(journal, now=at(60))) == 1

    async def test_going_back_to_the_first_meaning_is_a_third_delivery(self, journal: Journal) -> None:
        case = Case(journal)
        one = case.planned("a", "old")
        await case.begin(one)
        (second,) = await case.again(case.planned("a", "new"))
        (third,) = await case.again(case.planned("a", "old"))
        assert third == derive_id("reprocess", second, b"old")
        (taken,) = await claim(journal, now=at(60))
        assert (taken.delivery.id, taken.delivery.body, taken.delivery.supersedes) == (third, b"old", second)

    async def test_subscriptions_do_not_see_the_new_events_again(self, journal: Journal) -> None:
        case = Case(journal)
        await case.begin(case.planned("a", "old"))
        changed = structs.replace(case.event, body=b'{"changed":true}')
        await case.again(event=changed)
        assert list(await journal.upcoming(BILL, 10)) == []
        assert [(one.subscription, one.waiting) for one in await journal.positions()] == [(BILL, 0)]
        late = await journal.enrol("late", frozenset((DISCHARGED,)))
        assert late.waiting == 0
        story = await journal.story(case.message.id)
        assert story is not None
        assert [one.body for one in story.events] == [changed.body]

    async def test_a_subscription_that_lags_does_not_see_the_old_meaning(self, journal: Journal) -> None:
        case = Case(journal)
        await case.begin()
        await journal.enrol("lags", frozenset((DISCHARGED,)))
        other = await event(journal, "A2")
        await case.again(event=structs.replace(case.event, body=b"changed"))
        assert list(await journal.upcoming("lags", 10)) == [other]
        assert [(one.subscription, one.waiting) for one in await journal.positions()] == [("lags", 1), (BILL, 1)]

    async def test_a_message_that_failed_gets_its_meaning_after_the_mend(self, journal: Journal) -> None:
        await journal.enrol(BILL, frozenset((DISCHARGED,)))
        broken: Message = message("A9")
        await received(journal, broken)
        warning = Violation("PV1-2", "code-set", "use E or I", "warning")
        await journal.translated([Translated(message_id=broken.id, state="failed", reason="exception", violations=(warning,))], START)
        made = envelope(broken, "visit-9")
        mine = delivery(made, "inv-9")
        result = Translated(message_id=broken.id, events=(made,), identifiers=(("visit", "visit-9"),))
        answers = (Answer("l1", "odoo", "product by code", b"17"),)
        planned: dict[str, Sequence[Planned]] = {BILL: [Planned(event_id=made.id, deliveries=(mine,), answers=answers)]}
        assert list(await journal.reprocess(broken.id, result, planned, by="ann", why="bug mended", now=at(60))) == [mine.id]
        story = await journal.story(broken.id)
        assert story is not None
        assert (story.message.state, story.message.reason, story.violations) == ("translated", "", ())
        assert [(step.stage, step.by, step.detail) for step in story.steps if step.stage == "reprocessed"] == [
            ("reprocessed", "ann", "bug mended")
        ]
        assert [taken.delivery for taken in await claim(journal, now=at(60))] == [mine]
        assert tuple(await journal.answers(made.id, BILL)) == answers

    async def test_a_message_that_still_waited_is_translated_by_it(self, journal: Journal) -> None:
        one = message("A9")
        await received(journal, one)
        await journal.reprocess(one.id, Translated(message_id=one.id), {}, by="ann", why="why", now=at(60))
        assert list(await journal.untranslated(10)) == []
        assert await journal.backlog() == {}

    async def test_the_new_answers_replace_the_old(self, journal: Journal) -> None:
        case = Case(journal)
        await case.begin(case.planned("a", "old"))
        for body in (b"1", b"2"):
            await case.again(case.planned("a", "old"), answers=(Answer("l1", "odoo", "payer", body),))
        assert [one.body for one in await journal.answers(case.event.id, BILL)] == [b"2"]

    async def test_reprocessing_what_does_not_exist_is_a_bug(self, journal: Journal) -> None:
        with pytest.raises(Bug, match="unknown-message"):
            await journal.reprocess("nobody knows", Translated(message_id="nobody knows"), {}, by="ann", why="why", now=START)
