"""Opening, closing, pruning: finished work gives its space back, live work is never touched."""

from __future__ import annotations

import os

import pytest

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.journals.port import Arrival, Journal, Planned, Pruned, Query, Translated
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    LAB,
    ME,
    NOTIFY,
    START,
    at,
    claim,
    dead,
    delivered,
    delivery,
    due,
    envelope,
    event,
    keys,
    message,
    received,
    retried,
)  # fmt: skip

LATER = at(1000)
NOTHING = Pruned(0, 0, 0, 0)


@pytest.mark.asyncio
class TestUpkeep:
    async def test_closing_and_opening_again_keeps_everything(self, make_journal: MakeJournal) -> None:
        one = message("A1")
        for n in range(3):
            journal = make_journal()
            await journal.open()
            await received(journal, one, message(f"B{n}"))
            assert len(await journal.untranslated(10)) == n + 2
            await journal.close()

    async def test_prune_destroys_the_bodies_of_finished_work_and_keeps_history(self, journal: Journal) -> None:
        cause, mine = await _finished(journal, "A1")
        before = await journal.story(mine.id)
        assert before is not None
        pruned = await journal.prune(ADT, LATER, at(2000))
        assert (pruned.messages, pruned.events, pruned.deliveries) == (1, 1, 1)
        assert pruned.bytes_freed >= 30_000
        kept, sent = await journal.message(before.message.id), await journal.delivery(mine.id)
        assert kept is not None
        assert sent is not None
        assert (kept.body, kept.control_id, sent.body, sent.key) == (b"", "A1", b"", mine.key)
        assert all(not answer.body for answer in await journal.answers(cause.id, BILL))
        after = await journal.story(mine.id)
        assert after is not None
        assert (after.message, after.deliveries, after.receipts) == (before.message, before.deliveries, before.receipts)
        assert [one.id for one in after.events] == [cause.id]
        assert {one.body for one in after.events} == {b""}
        assert after.steps[:-1] == before.steps
        assert (after.steps[-1].stage, after.steps[-1].at, after.steps[-1].subject) == ("pruned", at(2000), before.message.id)

    async def test_pruning_again_finds_nothing(self, journal: Journal) -> None:
        await _finished(journal, "A1")
        await journal.prune(ADT, LATER, LATER)
        assert await journal.prune(ADT, LATER, LATER) == NOTHING

    async def test_a_duplicate_of_a_pruned_message_is_still_known(self, journal: Journal) -> None:
        await _finished(journal, "A1")
        (kept,) = await journal.find(Query())
        await journal.prune(ADT, LATER, LATER)
        again = message("A1", body=b"x" * 10_000)
        assert again.id == kept.id
        (answer,) = await journal.receive([Arrival(message=again, state="received", ack=b"another")])
        assert (answer.duplicate, answer.ack) == (True, b"MSA|AA|A1")

    async def test_prune_takes_its_interface_and_its_age_only(self, journal: Journal) -> None:
        old, young, other = message("A1"), message("A2", received=at(500)), message("R1", interface=LAB)
        await received(journal, old, young, other)
        await journal.translated([Translated(message_id=one.id) for one in (old, young, other)], START)
        assert (await journal.prune(ADT, at(500), LATER)).messages == 1
        bodies = [await journal.message(one.id) for one in (old, young, other)]
        assert [bool(one and one.body) for one in bodies] == [False, True, True]

    async def test_prune_takes_what_was_never_to_be_translated(self, journal: Journal) -> None:
        await journal.receive([Arrival(message=message("A1"), state="invalid"), Arrival(message=message("A2"), state="refused")])
        assert (await journal.prune(ADT, LATER, LATER)).messages == 2

    async def test_prune_is_limited_and_goes_on(self, journal: Journal) -> None:
        many = [message(f"A{n}") for n in range(5)]
        await received(journal, *many)
        await journal.translated([Translated(message_id=one.id) for one in many], START)
        assert [(await journal.prune(ADT, LATER, LATER, limit=2)).messages for _ in range(4)] == [2, 2, 1, 0]

    @pytest.mark.parametrize("state", ["received", "failed", "unplanned", "due", "sending", "retry", "unknown", "dead"])
    async def test_prune_never_touches_live_work(self, journal: Journal, state: str) -> None:
        await journal.enrol(BILL, frozenset((DISCHARGED,)))
        await journal.enrol(NOTIFY, frozenset((DISCHARGED,)))
        one = message("A1", body=b"x" * 10_000)
        await received(journal, one)
        cause = envelope(one, "visit-1")
        mine = delivery(cause, "inv-1")
        if state == "failed":
            await journal.translated([Translated(message_id=one.id, state="failed")], START)
        elif state != "received":
            await journal.translated([Translated(message_id=one.id, events=(cause,))], START)
            (kept,) = await journal.upcoming(BILL, 1)
            await journal.planned(BILL, kept.seq, [Planned(event_id=cause.id, deliveries=(mine,))], START)
            if state == "unplanned":  # NOTIFY has not seen the event yet
                await claim(journal)
                await journal.settle([delivered(mine.id)], ME)
            else:
                await journal.planned(NOTIFY, kept.seq, [], START)
        if state in ("sending", "retry", "unknown", "dead"):
            await claim(journal)
        if state == "retry":
            await journal.settle([retried(mine.id, not_before=at(9999))], ME)
        if state == "unknown":
            await journal.release(ME, START)
        if state == "dead":
            await journal.settle([dead(mine.id)], ME)
        assert await journal.prune(ADT, LATER, LATER) == NOTHING
        assert await journal.message(one.id) == one

    async def test_a_late_subscription_begins_with_what_was_not_pruned(self, journal: Journal) -> None:
        await _finished(journal, "A1")
        await journal.prune(ADT, LATER, LATER)
        fresh = await event(journal, "A2")
        late = await journal.enrol("late", frozenset((DISCHARGED,)))
        assert late.waiting == 1
        assert list(await journal.upcoming("late", 10)) == [fresh]
        assert {one.subscription: one.waiting for one in await journal.positions()} == {BILL: 1, "late": 1}

    async def test_what_was_pruned_cannot_be_redelivered(self, journal: Journal) -> None:
        _, mine = await _finished(journal, "A1")
        await journal.prune(ADT, LATER, LATER)
        assert list(await journal.redeliver([mine.id], "ann", "why", LATER)) == []
        assert await keys(journal, now=LATER) == []

    async def test_work_goes_on_after_a_prune(self, journal: Journal) -> None:
        await _finished(journal, "A1")
        await journal.prune(ADT, LATER, LATER)
        await due(journal, "inv-2")
        assert await keys(journal) == ["inv-2"]

    async def test_space_is_given_back(self, journal: Journal) -> None:
        many = [message(f"A{n}", body=os.urandom(8_000)) for n in range(400)]
        for start in range(0, 400, 100):
            await received(journal, *many[start : start + 100])
        await journal.translated([Translated(message_id=one.id) for one in many], START)
        full = await journal.size()
        assert full >= 400 * 8_000
        assert (await journal.prune(ADT, LATER, LATER)).messages == 400
        assert await journal.size() < full / 2


async def _finished(journal: Journal, control_id: str) -> tuple[Envelope, Delivery]:
    """A message that went all the way: its event and its delivery, each of ten thousand bytes."""
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    one = message(control_id, body=b"x" * 10_000)
    await received(journal, one)
    made = envelope(one, "visit-1", body=b"y" * 10_000)
    await journal.translated([Translated(message_id=one.id, events=(made,))], START)
    (cause,) = await journal.upcoming(BILL, 1)
    mine = delivery(cause, "inv-1", ordering_key="patient/1", body=b"z" * 10_000)
    answers = (Answer("l1", "odoo", "payer", b'"payer"'),)
    await journal.planned(BILL, cause.seq, [Planned(event_id=cause.id, deliveries=(mine,), answers=answers)], START)
    await claim(journal)
    await journal.settle([delivered(mine.id)], ME)
    return cause, mine
