"""Courier and lifeline: claims are durable, owned and settled once; an outcome nobody knows is checked."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from msgspec import structs

from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug
from isthmus.core.outcome import Receipt
from isthmus.core.policy import Lane
from isthmus.journals.port import MOST_BYTES, Journal, Planned
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import (
    BILL,
    DISCHARGED,
    ME,
    ODOO,
    PORTAL,
    START,
    at,
    claim,
    dead,
    delivered,
    delivery,
    due,
    event,
    keys,
    retried,
    stored,
    unknown,
)  # fmt: skip

OTHER = "node-2/courier"


@pytest.mark.asyncio
class TestOutbox:
    async def test_claims_are_limited_and_never_given_twice(self, journal: Journal) -> None:
        await due(journal, *(f"k{n}" for n in range(5)))
        assert await keys(journal, limit=2) == ["k0", "k1"]
        assert await keys(journal, limit=2, owner=OTHER) == ["k2", "k3"]
        assert await keys(journal) == ["k4"]
        assert await keys(journal) == []

    async def test_claims_at_the_same_time_share_the_work(self, journal: Journal) -> None:
        await due(journal, *(f"k{n}" for n in range(40)))
        taken = await asyncio.gather(*(keys(journal, limit=7, owner=f"node-{n}") for n in range(8)))
        assert sorted(key for one in taken for key in one) == sorted(f"k{n}" for n in range(40))

    async def test_an_endpoint_is_handed_only_its_own(self, journal: Journal) -> None:
        await due(journal, "here")
        assert await keys(journal, endpoint=PORTAL) == []
        assert await keys(journal, endpoint="never heard of") == []
        assert await keys(journal, endpoint=ODOO) == ["here"]

    async def test_attempts_are_counted_from_one(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        for attempt in (1, 2, 3):
            (taken,) = await claim(journal)
            assert (taken.attempt, taken.unknown, taken.created_at) == (attempt, False, START)
            await journal.settle([retried(mine.id, not_before=START)], ME)
        assert (await stored(journal, mine.id)).attempts == 3

    async def test_what_is_to_be_tried_later_waits(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        await claim(journal)
        await journal.settle([retried(mine.id, not_before=at(60))], ME)
        waiting = await stored(journal, mine.id)
        assert (waiting.state, waiting.not_before) == ("due", at(60))
        assert await keys(journal, now=at(59.999)) == []
        assert await keys(journal, now=at(60)) == ["k"]

    async def test_without_a_time_it_is_due_at_once(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        await claim(journal)
        await journal.settle([retried(mine.id, not_before=None)], ME)
        assert await keys(journal) == ["k"]

    async def test_retries_do_not_starve_behind_newer_work(self, journal: Journal) -> None:
        (old,) = await due(journal, "old")
        await claim(journal)
        await journal.settle([retried(old.id, not_before=at(10))], ME)
        for n in range(11, 20):
            await due(journal, f"new{n}", now=at(n))
        assert (await keys(journal, limit=1, now=at(30))) == ["old"]

    async def test_next_due_is_the_earliest_that_waits(self, journal: Journal) -> None:
        assert await journal.next_due(ODOO) is None
        first, second = await due(journal, "a", "b")
        now = await journal.next_due(ODOO)
        assert now is not None
        assert now <= START
        await claim(journal)
        assert await journal.next_due(ODOO) is None
        await journal.settle([retried(first.id, not_before=at(90)), unknown(second.id, not_before=at(30))], ME)
        assert await journal.next_due(ODOO) == at(30)
        assert await journal.next_due(PORTAL) is None
        await claim(journal, now=at(30))
        assert await journal.next_due(ODOO) == at(90)

    async def test_the_dead_and_those_behind_them_are_not_next(self, journal: Journal) -> None:
        first, _ = await due(journal, "a1", "a2", line="patient/1")
        await claim(journal)
        await journal.settle([dead(first.id)], ME)
        assert await journal.next_due(ODOO) is None

    async def test_delivered_is_the_end_and_the_receipts_say_so(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        await claim(journal)
        receipts = (Receipt("transport", "200"), Receipt("business", "posted", "account.move/17"))
        await journal.settle([delivered(mine.id, ended=at(2), receipts=receipts)], ME)
        assert await keys(journal, now=at(9999)) == []
        story = await journal.story(mine.id)
        assert story is not None
        assert story.receipts == tuple((mine.id, receipt) for receipt in receipts)
        assert (story.deliveries[0].state, story.deliveries[0].attempts) == ("delivered", 1)
        attempt = next(step for step in story.steps if step.stage == "attempt")
        assert (attempt.subject, attempt.at, attempt.code, attempt.seconds) == (mine.id, at(2), "delivered", 0.25)

    async def test_each_attempt_leaves_a_step_and_the_dead_say_why(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        await claim(journal)
        await journal.settle([retried(mine.id, not_before=at(1), ended=at(1))], ME)
        await claim(journal, now=at(1))
        await journal.settle([unknown(mine.id, ended=at(2))], ME)
        await claim(journal, now=at(2))
        await journal.settle([dead(mine.id, ended=at(3))], ME)
        story = await journal.story(mine.id)
        assert story is not None
        assert [(step.stage, step.code, step.detail) for step in story.steps if step.subject == mine.id] == [
            ("planned", "odoo.bill", ""),
            ("attempt", "timeout", "the target is busy"),
            ("attempt", "no-answer", ""),
            ("attempt", "missing-product", "the target knows no such product"),
            ("dead", "rejected", ""),
        ]
        assert (story.deliveries[0].state, story.deliveries[0].reason) == ("dead", "rejected")

    async def test_a_claim_is_durable(self, make_journal: MakeJournal) -> None:
        before = make_journal()
        await before.open()
        (mine,) = await due(before, "k")
        await claim(before)
        await before.close()
        after = make_journal()
        await after.open()
        assert await keys(after, now=at(9999)) == []
        assert list(await after.owners()) == [ME]
        assert (await stored(after, mine.id)).state == "sending"
        await after.close()

    async def test_what_a_dead_owner_was_sending_has_an_unknown_outcome(self, journal: Journal) -> None:
        first, second, third = await due(journal, "a", "b", "c")
        await claim(journal, limit=2)
        await claim(journal, limit=1, owner=OTHER)
        await journal.settle([delivered(first.id)], ME)
        assert list(await journal.owners()) == [ME, OTHER]
        assert await journal.release(ME, at(60)) == 1
        assert await journal.release(ME, at(60)) == 0
        assert list(await journal.owners()) == [OTHER]
        assert [(await stored(journal, one.id)).state for one in (first, second, third)] == ["delivered", "unknown", "sending"]
        (again,) = await claim(journal, now=at(60), owner=OTHER)
        assert (again.delivery, again.attempt, again.unknown) == (second, 2, True)
        await journal.settle([delivered(second.id), delivered(third.id)], OTHER)
        assert list(await journal.owners()) == []

    async def test_unknown_is_said_until_the_outcome_is_known(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        await claim(journal)
        await journal.settle([unknown(mine.id)], ME)
        (taken,) = await claim(journal)
        assert taken.unknown
        await journal.settle([unknown(mine.id)], ME)
        (taken,) = await claim(journal)
        assert taken.unknown
        await journal.settle([retried(mine.id, not_before=None)], ME)  # the check found that it had no effect
        (taken,) = await claim(journal)
        assert not taken.unknown

    async def test_a_settlement_by_who_lost_the_claim_changes_nothing_but_is_seen(self, journal: Journal) -> None:
        mine, good = await due(journal, "k", "good")
        await claim(journal)
        await journal.release(ME, at(60))
        await claim(journal, now=at(60), owner=OTHER)
        await journal.settle([delivered(mine.id, ended=at(61))], ME)
        await journal.settle([dead(mine.id, ended=at(62)), delivered(good.id, ended=at(62))], OTHER)
        await journal.settle([delivered(mine.id, ended=at(63))], OTHER)
        story = await journal.story(mine.id)
        assert story is not None
        assert [one.state for one in story.deliveries] == ["dead", "delivered"]
        assert [(step.at, step.by) for step in story.steps if step.stage == "too-late"] == [(at(61), ME), (at(63), OTHER)]

    async def test_settling_what_does_not_exist_is_a_bug_and_settles_nothing(self, journal: Journal) -> None:
        (mine,) = await due(journal, "k")
        await claim(journal)
        with pytest.raises(Bug, match="unknown-delivery"):
            await journal.settle([delivered(mine.id), delivered("nobody knows")], ME)
        assert (await stored(journal, mine.id)).state == "sending"

    async def test_the_safety_lane_is_handed_out_first_then_normal_then_bulk(self, journal: Journal) -> None:
        await _in_lane(journal, "bulk", *(f"b{n}" for n in range(5)))
        await _in_lane(journal, "normal", "n0", "n1", now=at(1))
        await _in_lane(journal, "safety", "s0", now=at(2))
        taken = await claim(journal, limit=4, now=at(9))
        assert [(one.delivery.key, one.lane) for one in taken] == [("s0", "safety"), ("n0", "normal"), ("n1", "normal"), ("b0", "bulk")]
        await _in_lane(journal, "safety", "s1", now=at(10))
        assert await keys(journal, now=at(10)) == ["s1", "b1", "b2", "b3", "b4"]

    async def test_one_lane_can_be_asked_for_alone(self, journal: Journal) -> None:
        await _in_lane(journal, "bulk", "b0")
        await _in_lane(journal, "safety", "s0", "s1")
        assert [one.delivery.key for one in await journal.claim(ODOO, 9, START, ME, lane="safety")] == ["s0", "s1"]
        assert await journal.claim(ODOO, 9, START, ME, lane="normal") == []
        assert await keys(journal) == ["b0"]

    async def test_a_lane_does_not_overtake_within_an_ordering_key(self, journal: Journal) -> None:
        (first,) = await _in_lane(journal, "bulk", "b0", line="patient/1")
        await _in_lane(journal, "safety", "s0", line="patient/1", now=at(1))
        assert await keys(journal, now=at(9)) == ["b0"]
        await journal.settle([delivered(first.id)], ME)
        (taken,) = await claim(journal, now=at(9))
        assert (taken.delivery.key, taken.lane) == ("s0", "safety")

    async def test_a_subscription_that_changes_its_lane_plans_into_the_new_one(self, journal: Journal) -> None:
        await _in_lane(journal, "bulk", "b0")
        await journal.enrol("odoo.bulk", frozenset((DISCHARGED,)), lane="safety")
        cause = await event(journal, "later")
        made = delivery(cause, "s0", subscription="odoo.bulk")
        await journal.planned("odoo.bulk", cause.seq, [Planned(event_id=cause.id, deliveries=(made,))], at(5))
        assert [(one.delivery.key, one.lane) for one in await claim(journal, now=at(9))] == [("s0", "safety"), ("b0", "bulk")]

    async def test_a_claim_holds_a_bounded_amount_of_bodies_but_never_none(self, journal: Journal) -> None:
        await due(journal, *(f"k{n}" for n in range(4)), size=MOST_BYTES // 2 - 1)
        assert await keys(journal) == ["k0", "k1"]
        (huge,) = await due(journal, "huge", size=MOST_BYTES + 1, now=at(-1))
        assert await keys(journal) == ["huge"]
        assert await journal.delivery(huge.id) == huge
        assert await keys(journal) == ["k2", "k3"]

    async def test_a_receipt_that_comes_later_joins_the_newest_delivery_of_its_key(self, journal: Journal) -> None:
        (first,) = await due(journal, "order-1")
        await claim(journal)
        await journal.settle([delivered(first.id)], ME)
        second = await _same_key(journal, "order-1", "again")
        assert await journal.receipt("order-1", ODOO, Receipt("application", "AA", "LAB7"), at(90))
        assert not await journal.receipt("order-1", PORTAL, Receipt("application", "AA"), at(90))
        assert not await journal.receipt("order-2", ODOO, Receipt("application", "AA"), at(90))
        story = await journal.story(second)
        assert story is not None
        assert story.receipts == ((second, Receipt("application", "AA", "LAB7")),)
        assert [(step.at, step.subject, step.code) for step in story.steps if step.stage == "receipt"] == [(at(90), second, "application")]

    async def test_work_of_many_is_settled_in_one_call(self, journal: Journal) -> None:
        await due(journal, *(f"k{n}" for n in range(300)))
        taken = await claim(journal, limit=300)
        assert len(taken) == 300
        await journal.settle([delivered(one.delivery.id) for one in taken], ME)
        assert await journal.next_due(ODOO) is None
        assert list(await journal.owners()) == []


async def _in_lane(journal: Journal, lane: Lane, *keys: str, line: str = "", now: datetime = START) -> list[Delivery]:
    """Deliveries of a subscription in that lane."""
    subscription = f"odoo.{lane}"
    await journal.enrol(subscription, frozenset((DISCHARGED,)), lane=lane)
    return await due(journal, *keys, line=line, subscription=subscription, now=now, lane=lane)


async def _same_key(journal: Journal, key: str, body: str) -> str:
    """Another event that plans a delivery of a business key which was there before; its id."""
    cause = await event(journal, body)
    made = structs.replace(delivery(cause, key), body=body.encode())
    await journal.planned(BILL, cause.seq, [Planned(event_id=cause.id, deliveries=(made,))], START)
    return made.id
