"""Finding again: by identifier, by page, by prefix; and the whole story of a message."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec import structs

from isthmus.core.outcome import Receipt
from isthmus.journals.port import Arrival, Journal, Planned, Query, Translated
from isthmus.journals.suite.samples import (
    ADT,
    BILL,
    DISCHARGED,
    LAB,
    ME,
    NOTIFY,
    ODOO,
    PORTAL,
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
)  # fmt: skip


async def found(journal: Journal, query: Query) -> list[str]:
    return [one.control_id for one in await journal.find(query)]


@pytest.mark.asyncio
class TestArchive:
    async def test_newest_first_with_all_that_is_known(self, journal: Journal) -> None:
        one, two = message("A1"), message("A2", received=at(1))
        await received(journal, one, two)
        newest, oldest = await journal.find(Query())
        assert newest.seq > oldest.seq
        assert structs.replace(newest, seq=0) == structs.replace(
            newest, seq=0, id=two.id, interface=ADT, source="clinical", kind="ADT^A03", sender="EHR|HOSP", control_id="A2",
            correlation_id=two.id, received_at=at(1), size=len(two.body), state="received", reason="",
        )  # fmt: skip
        assert oldest.id == one.id

    async def test_pages_by_key_miss_nothing_and_repeat_nothing(self, journal: Journal) -> None:
        await received(journal, *(message(f"A{n:03}") for n in range(25)))
        seen: list[str] = []
        before = 0
        while page := await journal.find(Query(before=before, limit=7)):
            seen += [one.control_id for one in page]
            before = page[-1].seq
            await received(journal, message(f"later {before}"))
        assert seen == [f"A{n:03}" for n in reversed(range(25))]

    async def test_every_part_of_a_query_holds(self, journal: Journal) -> None:
        await received(
            journal,
            message("A1", received=at(1)),
            message("A2", received=at(2), kind="ADT^A01"),
            message("R1", received=at(3), interface=LAB, kind="ORU^R01"),
            message("A3", received=at(4)),
        )
        await journal.receive([Arrival(message=message("A4", received=at(5)), state="invalid", reason="contract")])
        assert await found(journal, Query(interface=ADT)) == ["A4", "A3", "A2", "A1"]
        assert await found(journal, Query(kind="ADT^A01")) == ["A2"]
        assert await found(journal, Query(kind="ADT^A01", interface=LAB)) == []
        assert await found(journal, Query(state="invalid")) == ["A4"]
        assert await found(journal, Query(state="received", interface=ADT)) == ["A3", "A2", "A1"]
        assert await found(journal, Query(since=at(2), until=at(4))) == ["R1", "A2"]
        assert await found(journal, Query(interface=ADT, kind="ADT^A03", since=at(2), limit=1)) == ["A4"]
        assert await found(journal, Query(interface="nobody")) == []
        assert await found(journal, Query(kind="nothing")) == []

    async def test_states_are_found_after_they_changed(self, journal: Journal) -> None:
        many = [message(f"A{n}") for n in range(4)]
        await received(journal, *many)
        states: tuple[Literal["translated", "invalid", "failed"], ...] = ("translated", "invalid", "failed")
        await journal.translated([Translated(message_id=one.id, state=state) for one, state in zip(many, states, strict=False)], START)
        for state, control_id in zip(states, ("A0", "A1", "A2"), strict=True):
            assert await found(journal, Query(state=state)) == [control_id]
        assert await found(journal, Query(state="received")) == ["A3"]
        assert await found(journal, Query(state="refused")) == []

    async def test_identifiers_find_their_messages(self, journal: Journal) -> None:
        one, two, three = message("A1"), message("A2"), message("A3")
        patient = ("patient", "4711")
        await journal.receive([arrival(one, patient, ("visit", "V1")), arrival(two, ("patient", "4712")), arrival(three, patient, patient)])
        assert await found(journal, Query(identifier="4711")) == ["A3", "A1"]
        assert await found(journal, Query(identifier="V1")) == ["A1"]
        assert await found(journal, Query(identifier="A2")) == ["A2"]
        assert await found(journal, Query(identifier="471")) == []
        assert await found(journal, Query(identifier="4711", limit=1)) == ["A3"]
        (newest,) = await journal.find(Query(identifier="4711", limit=1))
        assert await found(journal, Query(identifier="4711", before=newest.seq)) == ["A1"]
        assert await found(journal, Query(identifier="4711", interface=LAB)) == []

    async def test_identifiers_that_the_translator_finds_are_added(self, journal: Journal) -> None:
        one = message("A1")
        await journal.receive([arrival(one, ("patient", "4711"))])
        await journal.translated([Translated(message_id=one.id, identifiers=(("order", "O-9"), ("patient", "4711")))], START)
        assert await found(journal, Query(identifier="O-9")) == ["A1"]
        assert await found(journal, Query(identifier="4711")) == ["A1"]

    async def test_any_id_of_it_leads_to_the_story(self, journal: Journal) -> None:
        (mine,) = await due(journal, "inv-1")
        stories = [await journal.story(one) for one in (mine.correlation_id, mine.causation_id, mine.id)]
        assert stories[0] is not None
        assert stories == [stories[0]] * 3
        assert [await journal.story(one[:6]) for one in (mine.correlation_id, mine.causation_id, mine.id)] == stories
        assert await journal.story(mine.id[:5]) is None
        assert await journal.story("f" * 32) is None
        assert await journal.story("") is None

    async def test_a_prefix_of_two_stories_leads_to_none(self, journal: Journal) -> None:
        one, two = (structs.replace(message(f"A{n}"), id=f"abcdef{n}" + "0" * 25) for n in (1, 2))
        await received(journal, one, two)
        assert await journal.story("abcdef") is None
        story = await journal.story("abcdef2")
        assert story is not None
        assert story.message.id == two.id

    async def test_prefixes_are_taken_literally(self, journal: Journal) -> None:
        await received(journal, structs.replace(message("A1"), id="abcdef" + "1" * 26))
        for wild in ("abc%ef", "______", "abcde_", "abcde*", "abcde?", "ABCDEF", "%abcdef"):
            assert await journal.story(wild) is None

    async def test_a_story_tells_everything_in_the_order_in_which_it_happened(self, journal: Journal) -> None:
        await journal.enrol(BILL, frozenset((DISCHARGED,)))
        await journal.enrol(NOTIFY, frozenset((DISCHARGED,)))
        one = message("A1")
        await received(journal, one)
        cause = envelope(one, "visit-1", ordering_key="patient/1")
        await journal.translated([Translated(message_id=one.id, events=(cause,))], at(1))
        (cause,) = await journal.upcoming(BILL, 1)
        bill = delivery(cause, "inv-1", ordering_key="patient/1")
        note = delivery(cause, "note-1", endpoint=PORTAL, subscription=NOTIFY)
        await journal.planned(BILL, cause.seq, [Planned(event_id=cause.id, deliveries=(bill,))], at(2))
        await journal.planned(NOTIFY, cause.seq, [Planned(event_id=cause.id, deliveries=(note,))], at(3))
        await claim(journal, now=at(4))
        await journal.settle([delivered(bill.id, ended=at(5), receipts=(Receipt("business", "posted", "account.move/1"),))], ME)
        await claim(journal, now=at(6), endpoint=PORTAL)
        await journal.settle([dead(note.id, ended=at(7))], ME)
        await journal.receipt("inv-1", ODOO, Receipt("application", "paid"), at(8))
        story = await journal.story(one.id)
        assert story is not None
        assert (story.message.id, story.events, story.violations) == (one.id, (cause,), ())
        assert [(kept.id, kept.state, kept.subscription, kept.operation, kept.key, kept.ordering_key) for kept in story.deliveries] == [
            (bill.id, "delivered", BILL, "upsert account.move", "inv-1", "patient/1"),
            (note.id, "dead", NOTIFY, "upsert account.move", "note-1", ""),
        ]
        assert [(kept.created_at, kept.causation_id, kept.correlation_id) for kept in story.deliveries] == [
            (at(2), cause.id, one.correlation_id),
            (at(3), cause.id, one.correlation_id),
        ]
        assert story.receipts == ((bill.id, Receipt("business", "posted", "account.move/1")), (bill.id, Receipt("application", "paid")))
        assert [(step.at, step.stage, step.subject) for step in story.steps] == [
            (at(0), "received", one.id),
            (at(1), "translated", one.id),
            (at(2), "planned", bill.id),
            (at(3), "planned", note.id),
            (at(5), "attempt", bill.id),
            (at(5), "receipt", bill.id),
            (at(7), "attempt", note.id),
            (at(7), "dead", note.id),
            (at(8), "receipt", bill.id),
        ]

    async def test_deliveries_by_state_newest_first_by_page(self, journal: Journal) -> None:
        here = await due(journal, *(f"k{n}" for n in range(6)))
        there = await due(journal, "p", endpoint=PORTAL, subscription=NOTIFY)
        assert [one.id for one in await journal.deliveries(state="due")] == [one.id for one in reversed([*here, *there])]
        await claim(journal)
        await journal.settle([dead(one.id) for one in here[:4]] + [delivered(here[4].id)], ME)
        first = await journal.deliveries(state="dead", limit=3)
        assert [one.key for one in first] == ["k3", "k2", "k1"]
        assert {(one.state, one.reason, one.endpoint, one.attempts) for one in first} == {("dead", "rejected", ODOO, 1)}
        assert [one.key for one in await journal.deliveries(state="dead", before=first[-1].seq, limit=3)] == ["k0"]
        assert [one.key for one in await journal.deliveries(state="delivered")] == ["k4"]
        assert [one.key for one in await journal.deliveries(state="sending")] == ["k5"]
        assert [one.key for one in await journal.deliveries(state="due", endpoint=PORTAL)] == ["p"]
        assert list(await journal.deliveries(state="due", endpoint=ODOO)) == []
        assert list(await journal.deliveries(state="dead", endpoint="nobody")) == []
        await journal.abandon([here[1].id], "ann", "why", START)
        assert [one.key for one in await journal.deliveries(state="abandoned")] == ["k1"]

    async def test_what_is_not_there_is_none(self, journal: Journal) -> None:
        assert await journal.message("nobody knows") is None
        assert await journal.delivery("nobody knows") is None
        assert list(await journal.answers("nobody knows", BILL)) == []
        assert list(await journal.find(Query())) == []
        assert list(await journal.tallies()) == []
        assert list(await journal.owners()) == []
        assert list(await journal.positions()) == []

    async def test_a_piece_of_a_large_message_is_read_alone(self, journal: Journal) -> None:
        one = message("A1", body=bytes(range(256)) * (3 << 12) + b"end")
        await received(journal, one)
        for start, length in ((0, 5), (1_048_570, 12), (0, len(one.body)), (len(one.body) - 3, 99), (len(one.body), 1), (7, 0)):
            assert await journal.piece(one.id, start, length) == one.body[start : start + length]
        assert await journal.piece("nobody knows", 0, 9) == b""
