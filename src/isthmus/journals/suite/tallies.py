"""Counters that always balance: kept in the transaction of what they count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

import pytest

from isthmus.core.outcome import Receipt
from isthmus.journals.port import Arrival, DeliveryState, Journal, MessageState, Planned, Query, Translated
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    ME,
    ODOO,
    START,
    arrival,
    at,
    claim,
    dead,
    delivered,
    delivery,
    due,
    envelope,
    message,
    received,
    retried,
    unknown,
)  # fmt: skip

Counts = dict[tuple[str, str, str], int]


async def counts(journal: Journal) -> Counts:
    found = await journal.tallies()
    assert all(one.count > 0 for one in found), "a counter that stands at zero is not told"
    return {(one.noun, one.name, one.state): one.count for one in found}


async def assert_balanced(journal: Journal) -> None:
    """The counters say what counting would say."""
    tallies = await counts(journal)
    messages: Counter[tuple[str, str, str]] = Counter()
    for state in get_args(MessageState):
        for one in await journal.find(Query(state=state, limit=10_000)):
            messages["message", one.interface, state] += 1
    deliveries: Counter[tuple[str, str, str]] = Counter()
    for state in get_args(DeliveryState):
        for kept in await journal.deliveries(state=state, limit=10_000):
            deliveries["delivery", kept.subscription, state] += 1
    assert messages == {key: count for key, count in tallies.items() if key[0] == "message" and key[2] != "duplicate"}
    assert deliveries == {key: count for key, count in tallies.items() if key[0] == "delivery"}


@pytest.mark.asyncio
class TestTallies:
    async def test_messages_by_interface_and_state(self, journal: Journal) -> None:
        one, two = message("A1"), message("A2")
        await received(journal, one, two, one)
        await journal.receive([Arrival(message=message("A3"), state="refused", reason="no-interface"), arrival(one)])
        assert await counts(journal) == {("message", ADT, "received"): 2, ("message", ADT, "duplicate"): 2, ("message", ADT, "refused"): 1}
        await journal.translated([Translated(message_id=one.id), Translated(message_id=two.id, state="failed", reason="exception")], START)
        assert await counts(journal) == {
            ("message", ADT, "translated"): 1,
            ("message", ADT, "failed"): 1,
            ("message", ADT, "duplicate"): 2,
            ("message", ADT, "refused"): 1,
        }
        await assert_balanced(journal)

    async def test_deliveries_attempts_and_receipts(self, journal: Journal) -> None:
        a, b, c, d, _ = await due(journal, "a", "b", "c", "d", "e")
        await claim(journal)
        await journal.settle(
            [
                delivered(a.id, receipts=(Receipt("transport", "200"), Receipt("business", "posted"))),
                dead(b.id),
                retried(c.id, not_before=None),
            ],
            ME,
        )
        await journal.settle([unknown(d.id)], ME)
        await journal.settle([unknown(d.id)], ME)
        assert await journal.release(ME, START) == 1
        tallies = await counts(journal)
        assert {key: count for key, count in tallies.items() if key[0] not in ("message", "event")} == {
            ("delivery", BILL, "delivered"): 1,
            ("delivery", BILL, "dead"): 1,
            ("delivery", BILL, "due"): 1,
            ("delivery", BILL, "unknown"): 2,
            ("attempt", ODOO, "delivered"): 1,
            ("attempt", ODOO, "reject"): 1,
            ("attempt", ODOO, "retry"): 1,
            ("attempt", ODOO, "unknown"): 1,
            ("attempt", ODOO, "too-late"): 1,
            ("attempt", ODOO, "lost"): 1,
            ("receipt", BILL, "transport"): 1,
            ("receipt", BILL, "business"): 1,
        }
        await assert_balanced(journal)

    async def test_events_and_what_replaced_them(self, journal: Journal) -> None:
        one = message("A1")
        await received(journal, one)
        first, second, third = envelope(one, "1"), envelope(one, "2"), envelope(one, "3")
        await journal.translated([Translated(message_id=one.id, events=(first, second))], START)
        assert (await counts(journal))["event", DISCHARGED, "kept"] == 2
        await journal.reprocess(one.id, Translated(message_id=one.id, events=(second, third)), {}, by="ann", why="why", now=START)
        tallies = await counts(journal)
        assert (tallies["event", DISCHARGED, "kept"], tallies["event", DISCHARGED, "superseded"]) == (2, 1)

    async def test_they_balance_after_everything_that_people_do(self, journal: Journal) -> None:
        (a, b, c, d) = await due(journal, "a", "b", "c", "d", line="patient/1")
        await claim(journal)
        await journal.settle([dead(a.id)], ME)
        await assert_balanced(journal)
        await journal.redeliver([a.id], "ann", "why", START)
        await claim(journal)
        await journal.settle([dead(a.id)], ME)
        await journal.abandon([a.id], "ann", "why", START)
        await claim(journal)
        await assert_balanced(journal)
        story = await journal.story(a.id)
        assert story is not None
        cause = story.events[0]
        new = [delivery(cause, "b", body=b"new", ordering_key="patient/1"), delivery(cause, "c", body=b"new", ordering_key="patient/1")]
        result = Translated(message_id=story.message.id, events=(cause,))
        planned: dict[str, Sequence[Planned]] = {BILL: [Planned(event_id=cause.id, deliveries=tuple(new))]}
        await journal.reprocess(story.message.id, result, planned, by="ann", why="why", now=START)
        await assert_balanced(journal)
        await journal.settle([delivered(b.id)], ME)
        await assert_balanced(journal)
        states = {one.id: one.state for state in get_args(DeliveryState) for one in await journal.deliveries(state=state)}
        assert [states[one.id] for one in (a, b, c, d)] == ["abandoned", "superseded", "superseded", "superseded"]

    async def test_they_survive_a_restart(self, make_journal: MakeJournal) -> None:
        seen: list[Counts] = []
        for n in range(3):
            journal = make_journal()
            await journal.open()
            if seen:
                assert await counts(journal) == seen[-1]
            await due(journal, f"k{n}", now=at(n))
            seen.append(await counts(journal))
            await assert_balanced(journal)
            await journal.close()
        assert all(earlier != later for earlier, later in pairwise(seen))
