"""Receiving: winners are kept, duplicates recognised, whatever the verdict."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from isthmus.core.contract import Violation
from isthmus.journals.port import Accepted, Arrival, Journal
from isthmus.journals.suite.fixtures import MakeJournal
from isthmus.journals.suite.samples import ADT, LAB, arrival, at, message, received


@pytest.mark.asyncio
class TestIntake:
    async def test_what_is_accepted_can_be_read_back_at_once(self, journal: Journal) -> None:
        one = message("A1")
        assert list(await journal.receive([arrival(one)])) == [Accepted(one.id, b"MSA|AA|A1")]
        assert await journal.message(one.id) == one

    async def test_answers_come_in_the_order_of_the_arrivals(self, journal: Journal) -> None:
        many = [message(f"A{n}") for n in range(20)]
        answers = await journal.receive([arrival(one) for one in many])
        assert [answer.message_id for answer in answers] == [one.id for one in many]

    async def test_an_empty_batch_is_nothing(self, journal: Journal) -> None:
        assert list(await journal.receive([])) == []

    async def test_a_duplicate_gets_the_first_acknowledgement(self, journal: Journal) -> None:
        one = arrival(message("A1"))
        await journal.receive([one])
        (again,) = await journal.receive([structs.replace(one, ack=b"another")])
        assert again == Accepted(one.message.id, b"MSA|AA|A1", duplicate=True)
        assert len(await journal.untranslated(10)) == 1

    async def test_a_duplicate_within_a_batch_is_recognised(self, journal: Journal) -> None:
        one = arrival(message("A1"))
        answers = await journal.receive([one, arrival(message("A2")), structs.replace(one, ack=b"another")])
        assert [(answer.duplicate, answer.ack) for answer in answers] == [
            (False, b"MSA|AA|A1"),
            (False, b"MSA|AA|A2"),
            (True, b"MSA|AA|A1"),
        ]
        assert len(await journal.untranslated(10)) == 2

    async def test_duplicates_that_arrive_together_are_kept_once(self, journal: Journal) -> None:
        one = arrival(message("A1"))
        answers = await asyncio.gather(*(journal.receive([one]) for _ in range(20)))
        assert sum(not answer.duplicate for (answer,) in answers) == 1
        assert {answer.ack for (answer,) in answers} == {b"MSA|AA|A1"}

    async def test_duplicates_are_known_after_a_restart(self, make_journal: MakeJournal) -> None:
        one = arrival(message("A1"))
        before = make_journal()
        await before.open()
        await before.receive([one])
        await before.close()
        after = make_journal()
        await after.open()
        (again,) = await after.receive([one])
        await after.close()
        assert again == Accepted(one.message.id, b"MSA|AA|A1", duplicate=True)

    async def test_the_same_control_id_with_other_content_is_another_message(self, journal: Journal) -> None:
        one, other = message("A1", body=b"first"), message("A1", body=b"second")
        answers = await journal.receive([arrival(one), arrival(other)])
        assert [answer.duplicate for answer in answers] == [False, False]
        assert [kept.body for kept in await journal.untranslated(10)] == [b"first", b"second"]

    async def test_a_duplicate_is_seen_in_the_story(self, journal: Journal) -> None:
        one = message("A1")
        await received(journal, one)
        await received(journal, structs.replace(one, received_at=at(60)))
        story = await journal.story(one.id)
        assert story is not None
        assert [(step.stage, step.at) for step in story.steps] == [("received", at(0)), ("duplicate", at(60))]

    async def test_what_was_not_taken_is_kept_with_its_reason(self, journal: Journal) -> None:
        broken = Arrival(
            message=message("A1"),
            state="invalid",
            reason="contract",
            violations=(Violation("PID-3", "required", "send a patient id"),),
            ack=b"AE",
        )
        unreadable = Arrival(message=message("", body=b"\x00", interface="", kind=""), state="refused", reason="unreadable", ack=b"AR")
        await journal.receive([broken, unreadable])
        assert list(await journal.untranslated(10)) == []
        first, second = await journal.story(broken.message.id), await journal.story(unreadable.message.id)
        assert first is not None
        assert second is not None
        assert (first.message.state, first.message.reason, first.violations) == ("invalid", "contract", broken.violations)
        assert (second.message.state, second.message.reason) == ("refused", "unreadable")
        assert [(step.stage, step.code) for step in (*first.steps, *second.steps)] == [("invalid", "contract"), ("refused", "unreadable")]
        assert await journal.message(unreadable.message.id) == unreadable.message

    async def test_any_bytes_come_back_as_they_were(self, journal: Journal) -> None:
        bodies = [b"", b"\x00", bytes(range(256)), "Zoë Müller 山".encode(), "Zoë".encode("latin-1"), b"x" * 3_000_000]
        kept = [message("A1", body=body) for body in bodies]
        await received(journal, *kept)
        assert [one.body for one in await journal.untranslated(10)] == bodies
        assert [await journal.message(one.id) for one in kept] == kept

    async def test_any_text_comes_back_as_it_was(self, journal: Journal) -> None:
        odd = structs.replace(
            message("A1"), kind="ADT^ä", sender="山|\x00'\"", control_id="1';--", correlation_id="c-1", source="weird 'source'"
        )
        await received(journal, odd)
        assert await journal.message(odd.id) == odd

    async def test_backlog_counts_by_interface_what_waits_for_its_translator(self, journal: Journal) -> None:
        assert await journal.backlog() == {}
        await received(journal, message("A1"), message("A2"), message("R1", interface=LAB))
        await journal.receive([Arrival(message=message("A3"), state="invalid", reason="contract")])
        assert await journal.backlog() == {ADT: 2, LAB: 1}
