"""Translator and subscriber: each message becomes events once, each subscription sees them in order and at its own pace."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec import structs

from isthmus.core.contract import Violation
from isthmus.core.failure import Bug
from isthmus.core.lookup import Answer
from isthmus.journals.port import MOST_BYTES, Arrival, Journal, Planned, Query, Translated
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    LAB,
    NOTIFY,
    PORTAL,
    RESULTED,
    START,
    arrival,
    at,
    claim,
    delivery,
    due,
    envelope,
    event,
    message,
    received,
)  # fmt: skip

BOTH = frozenset((DISCHARGED, RESULTED))
ONLY = frozenset((DISCHARGED,))
UNTRANSLATABLE: list[Literal["invalid", "failed"]] = ["invalid", "failed"]


@pytest.mark.asyncio
class TestStages:
    async def test_untranslated_are_the_oldest_in_order_of_arrival(self, journal: Journal) -> None:
        many = [message(f"A{n}", received=at(-n)) for n in range(10)]
        await received(journal, *many[:5])
        await received(journal, *many[5:])
        assert list(await journal.untranslated(100)) == many
        assert list(await journal.untranslated(3)) == many[:3]

    async def test_untranslated_of_some_interfaces_only(self, journal: Journal) -> None:
        here, there = [message(f"A{n}") for n in range(4)], [message(f"L{n}", interface=LAB) for n in range(4)]
        await received(journal, *(one for pair in zip(here, there, strict=True) for one in pair))
        assert list(await journal.untranslated(3, frozenset((LAB,)))) == there[:3]
        assert list(await journal.untranslated(9, frozenset((ADT, LAB, "none such")))) == list(await journal.untranslated(9))
        assert list(await journal.untranslated(9, frozenset())) == []

    async def test_untranslated_holds_a_bounded_amount_of_bodies_but_never_none(self, journal: Journal) -> None:
        big = [message(f"A{n}", body=b"%d" % n * (MOST_BYTES // 2 - 1)) for n in range(3)]
        huge = message("huge", body=b"h" * (MOST_BYTES + 1))
        for one in (*big, huge):
            await received(journal, one)
        for expected in (big[:2], big[2:], [huge]):
            taken = list(await journal.untranslated(100))
            assert taken == expected
            await journal.translated([Translated(message_id=one.id) for one in taken], START)
        assert await journal.message(huge.id) == huge

    async def test_upcoming_holds_a_bounded_amount_of_bodies_but_never_none(self, journal: Journal) -> None:
        one = message("A1")
        await received(journal, one)
        sizes = (MOST_BYTES // 2 - 1, MOST_BYTES // 2 - 1, MOST_BYTES + 1)
        made = tuple(envelope(one, f"k{n}", body=b"x" * size) for n, size in enumerate(sizes))
        await journal.translated([Translated(message_id=one.id, events=made)], START)
        await journal.enrol(BILL, ONLY)
        for keys in (["k0", "k1"], ["k2"], []):
            taken = await journal.upcoming(BILL, 100)
            assert [kept.key for kept in taken] == keys
            if taken:
                await journal.planned(BILL, taken[-1].seq, [], START)

    async def test_of_two_nodes_that_read_the_same_events_one_plans_them(self, journal: Journal) -> None:
        await journal.enrol(BILL, ONLY)
        first, second = await event(journal, "A1"), await event(journal, "A2")
        mine = [Planned(event_id=first.id, deliveries=(delivery(first, "k1"),), answers=(Answer("l1", "odoo", "price", b"1"),))]
        theirs = [structs.replace(mine[0], answers=(Answer("l1", "odoo", "price", b"2"),)), Planned(event_id=second.id)]
        assert await journal.planned(BILL, first.seq, mine, START, after=0)
        assert not await journal.planned(BILL, second.seq, theirs, at(1), after=0)
        assert await journal.answers(first.id, BILL) == mine[0].answers
        (position,) = await journal.positions()
        assert (position.cursor, position.waiting) == (first.seq, 1)
        assert await journal.planned(BILL, second.seq, theirs[1:], at(2), after=first.seq)

    async def test_translated_messages_wait_no_longer(self, journal: Journal) -> None:
        first, second = message("A1"), message("A2")
        await received(journal, first, second)
        await journal.translated([Translated(message_id=first.id)], START)
        assert list(await journal.untranslated(10)) == [second]
        assert await journal.backlog() == {ADT: 1}
        assert (await journal.find(Query(state="translated")))[0].id == first.id

    async def test_events_are_kept_whole_and_numbered_as_committed(self, journal: Journal) -> None:
        one, two = message("A1"), message("A2")
        await received(journal, one, two)
        mine = tuple(envelope(one, f"k{n}", ordering_key="patient/1") for n in range(3))
        await journal.translated([Translated(message_id=one.id, events=mine)], START)
        await journal.translated([Translated(message_id=two.id, events=(envelope(two, "k3"),))], START)
        await journal.enrol(BILL, ONLY)
        upcoming = await journal.upcoming(BILL, 10)
        assert [structs.replace(kept, seq=0) for kept in upcoming] == [*mine, envelope(two, "k3")]
        assert [kept.seq for kept in upcoming] == sorted({kept.seq for kept in upcoming})
        assert upcoming[0].seq > 0

    async def test_translating_twice_changes_nothing(self, journal: Journal) -> None:
        one = message("A1")
        await received(journal, one)
        await journal.enrol(BILL, ONLY)
        result = Translated(message_id=one.id, events=(envelope(one, "k"),))
        await journal.translated([result], START)
        await journal.translated([result, Translated(message_id=one.id, state="failed", reason="exception")], at(9))
        story = await journal.story(one.id)
        assert story is not None
        assert story.message.state == "translated"
        assert len(story.events) == 1
        assert len(await journal.upcoming(BILL, 10)) == 1

    @pytest.mark.parametrize("state", UNTRANSLATABLE)
    async def test_what_could_not_be_translated_says_why(self, journal: Journal, state: Literal["invalid", "failed"]) -> None:
        one = message("A1")
        await journal.receive([structs.replace(arrival(one), violations=(Violation("PV1-2", "code-set", "use E or I", "warning"),))])
        found = Violation("PID-3", "required", "send a patient id")
        await journal.translated(
            [Translated(message_id=one.id, state=state, reason="exception", detail="bill:17", violations=(found,))],
            at(1),
        )
        story = await journal.story(one.id)
        assert story is not None
        assert (story.message.state, story.message.reason) == (state, "exception")
        assert [violation.where for violation in story.violations] == ["PV1-2", "PID-3"]
        assert [(step.stage, step.code, step.detail) for step in story.steps][1:] == [(state, "exception", "bill:17")]
        assert list(await journal.untranslated(10)) == []

    async def test_a_batch_with_an_unknown_message_is_kept_not_at_all(self, journal: Journal) -> None:
        one = message("A1")
        await received(journal, one)
        with pytest.raises(Bug, match="unknown-message"):
            await journal.translated([Translated(message_id=one.id), Translated(message_id="nobody knows")], START)
        assert list(await journal.untranslated(10)) == [one]

    async def test_messages_that_were_not_taken_are_not_translated(self, journal: Journal) -> None:
        one = message("A1")
        await journal.receive([Arrival(message=one, state="invalid", reason="contract")])
        await journal.translated([Translated(message_id=one.id, events=(envelope(one, "k"),))], START)
        story = await journal.story(one.id)
        assert story is not None
        assert (story.message.state, story.events) == ("invalid", ())

    async def test_each_subscription_sees_its_types_at_its_own_pace(self, journal: Journal) -> None:
        await journal.enrol(BILL, ONLY)
        await journal.enrol(NOTIFY, BOTH)
        made = [await event(journal, f"A{n}", type=RESULTED if n % 2 else DISCHARGED) for n in range(6)]
        assert list(await journal.upcoming(BILL, 10)) == made[::2]
        assert list(await journal.upcoming(NOTIFY, 10)) == made
        await journal.planned(NOTIFY, made[2].seq, [], START)
        assert list(await journal.upcoming(BILL, 2)) == made[:4:2]
        assert list(await journal.upcoming(NOTIFY, 2)) == made[3:5]
        assert [(one.subscription, one.cursor, one.waiting) for one in await journal.positions()] == [
            (BILL, 0, 3),
            (NOTIFY, made[2].seq, 3),
        ]

    async def test_a_late_subscription_begins_where_it_is_told(self, journal: Journal) -> None:
        made = [await event(journal, f"A{n}") for n in range(3)]
        first = await journal.enrol(BILL, ONLY, start="beginning")
        last = await journal.enrol(NOTIFY, ONLY, start="now")
        assert (first.cursor, first.waiting) == (0, 3)
        assert (last.cursor, last.waiting) == (made[-1].seq, 0)
        made.append(await event(journal, "A9"))
        assert list(await journal.upcoming(BILL, 10)) == made
        assert list(await journal.upcoming(NOTIFY, 10)) == made[-1:]

    async def test_enrolling_again_moves_no_cursor(self, make_journal: MakeJournal) -> None:
        before = make_journal()
        await before.open()
        await before.enrol(BILL, ONLY)
        made = [await event(before, f"A{n}", type=RESULTED if n % 2 else DISCHARGED) for n in range(4)]
        await before.planned(BILL, made[0].seq, [], START)
        await before.close()
        after = make_journal()
        await after.open()
        assert (await after.enrol(BILL, ONLY, start="now")).cursor == made[0].seq
        assert (await after.enrol(BILL, BOTH)).waiting == 3
        assert list(await after.upcoming(BILL, 10)) == made[1:]
        await after.close()

    async def test_a_cursor_never_goes_back(self, journal: Journal) -> None:
        await journal.enrol(BILL, ONLY)
        made = [await event(journal, f"A{n}") for n in range(3)]
        await journal.planned(BILL, made[2].seq, [], START)
        await journal.planned(BILL, made[0].seq, [], START)
        assert (await journal.positions())[0].cursor == made[2].seq

    async def test_a_plan_is_kept_with_its_answers_and_the_cursor(self, make_journal: MakeJournal) -> None:
        before = make_journal()
        await before.open()
        await before.enrol(BILL, ONLY)
        cause = await event(before, "A1")
        mine = structs.replace(delivery(cause, "inv-1", ordering_key="patient/1"), content_type="x-application/hl7-v2+er7", supersedes="")
        answers = (Answer("l1", "odoo", "product by code", b'{"id":17}'), Answer("l2", "odoo", "payer", b"null"))
        await before.planned(BILL, cause.seq, [Planned(event_id=cause.id, deliveries=(mine,), answers=answers)], at(1))
        await before.close()
        after = make_journal()
        await after.open()
        assert await after.delivery(mine.id) == mine
        assert tuple(await after.answers(cause.id, BILL)) == answers
        assert tuple(await after.answers(cause.id, NOTIFY)) == ()
        assert list(await after.upcoming(BILL, 10)) == []
        (taken,) = await claim(after, now=at(1))
        assert (taken.delivery, taken.created_at, taken.attempt) == (mine, at(1), 1)
        await after.close()

    async def test_a_known_delivery_is_kept_once(self, journal: Journal) -> None:
        (mine,) = await due(journal, "inv-1")
        other = structs.replace(mine, body=b"planned again, otherwise")
        await journal.planned(BILL, 0, [Planned(event_id=mine.causation_id, deliveries=(other, other))], at(1))
        assert await journal.delivery(mine.id) == mine
        assert len(await claim(journal, now=at(1))) == 1

    async def test_a_plan_for_an_unknown_event_is_refused_whole(self, journal: Journal) -> None:
        await journal.enrol(BILL, ONLY)
        cause = await event(journal, "A1")
        good = Planned(event_id=cause.id, deliveries=(delivery(cause, "inv-1"),))
        with pytest.raises(Bug, match="unknown-event"):
            await journal.planned(BILL, cause.seq, [good, Planned(event_id="nobody knows")], START)
        assert list(await claim(journal)) == []
        assert list(await journal.upcoming(BILL, 10)) == [cause]

    async def test_a_stopped_subscription_is_handed_nothing_and_holds_nobody_else(self, make_journal: MakeJournal) -> None:
        before = make_journal()
        await before.open()
        await before.enrol(BILL, ONLY)
        await before.enrol(NOTIFY, ONLY)
        cause = await event(before, "A1")
        await before.stop(BILL, "exception", "bill:17", START)
        assert list(await before.upcoming(BILL, 10)) == []
        assert list(await before.upcoming(NOTIFY, 10)) == [cause]
        await before.close()
        after = make_journal()
        await after.open()
        stopped = await after.enrol(BILL, ONLY)
        assert (stopped.stopped, stopped.detail, stopped.waiting) == ("exception", "bill:17", 1)
        await after.resume(BILL, at(60))
        assert list(await after.upcoming(BILL, 10)) == [cause]
        assert (await after.positions())[0].stopped == ""
        await after.close()

    async def test_a_subscription_that_was_never_enrolled_is_a_bug(self, journal: Journal) -> None:
        with pytest.raises(Bug, match="not-enrolled"):
            await journal.upcoming("nobody", 10)
        with pytest.raises(Bug, match="not-enrolled"):
            await journal.planned("nobody", 1, [], START)

    async def test_two_subscriptions_plan_one_event_apart(self, journal: Journal) -> None:
        await journal.enrol(BILL, ONLY)
        await journal.enrol(NOTIFY, ONLY)
        cause = await event(journal, "A1")
        here, there = delivery(cause, "k"), delivery(cause, "k", endpoint=PORTAL, subscription=NOTIFY)
        await journal.planned(BILL, cause.seq, [Planned(event_id=cause.id, deliveries=(here,))], START)
        await journal.planned(NOTIFY, cause.seq, [Planned(event_id=cause.id, deliveries=(there,))], START)
        assert [one.delivery for one in await claim(journal)] == [here]
        assert [one.delivery for one in await claim(journal, endpoint=PORTAL)] == [there]
