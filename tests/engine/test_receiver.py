"""The receiver: verdicts, one commit for many, duplicates, backpressure that hurts, a journal that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import pytest
from engine.house import Bedside, House, TinyContract, say, saying

from isthmus.core import Bug, Header, Interface, Message, Transient, Violation
from isthmus.engine.telemetry import (
    AnswerFailed,
    EngineFailed,
    MessagesReceived,
    MessagesTurnedAway,
    ReceptionFailed,
    SourceDropped,
    SourceResumed,
    SourceSlowed,
)
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Accepted, Arrival, Query


class Slow(MemoryJournal):
    """A journal whose commits take as long as the test wants, and which can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.away: Exception | None = None
        self.committed_then_away = False

    async def receive(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        await self.gate.wait()
        if self.committed_then_away:
            await super().receive(arrivals)
            self.committed_then_away = False
            raise Transient("connection-lost", "after the commit")
        if self.away is not None:
            raise self.away
        self.batches.append(len(arrivals))
        return await super().receive(arrivals)


@pytest.mark.parametrize(
    ("body", "code", "state", "reason", "taken"),
    [
        (say(1), "AA", "received", "", True),
        (say(1, text=""), "AE", "invalid", "contract", False),
        (b"junk", "AR", "refused", "unreadable", False),
        (b"", "AR", "refused", "unreadable", False),
        (b"SAY|bed|1|too few", "AR", "refused", "unreadable", False),
        (say(1, kind="SING"), "AR", "refused", "no-interface", False),
        (say(1, kind="ELSE"), "AR", "refused", "wrong-source", False),
    ],
)
async def test_every_message_is_kept_with_its_verdict_and_answered(body: bytes, code: str, state: str, reason: str, taken: bool) -> None:
    elsewhere = saying("elsewhere", source="other", kinds=("ELSE",))
    async with House(interfaces=(saying(), elsewhere), sources=(Bedside(), Bedside("other")), subscriptions=()) as house:
        await house.say(body)
        assert house.bedside.codes == [code]
        assert house.bedside.answers[0][1] == ("taken" if taken else "refused")
        (stored,) = await house.journal.find(Query())
        assert (stored.state, stored.reason) == ("translated" if taken else state, reason)
        story = await house.journal.story(stored.id)
        assert story is not None
        assert bool(story.violations) == (not taken)
        assert all(one.cure for one in story.violations), "whoever is refused is told what to do"
        kept = await house.journal.message(stored.id)
        assert kept is not None
        assert kept.body == body


async def test_an_invalid_message_is_found_by_its_patient() -> None:
    async with House() as house:
        await house.say(say(1, patient="p77", text=""))
        assert [one.state for one in await house.journal.find(Query(identifier="p77"))] == ["invalid"]


async def test_nothing_is_answered_before_the_commit_and_what_arrives_meanwhile_is_the_next_batch() -> None:
    journal = Slow()
    async with House(journal=journal, subscriptions=()) as house:
        journal.gate.clear()
        await house.say(*(say(number) for number in range(3)))
        await house.say(*(say(number) for number in range(3, 700)))
        assert house.bedside.answers == []
        journal.gate.set()
        await house.clock.settle()
        assert len(house.bedside.answers) == 700
        assert journal.batches == [3, 512, 185]


async def test_the_same_bytes_get_the_same_answer_and_have_no_second_effect() -> None:
    async with House() as house:
        await house.say(say(1))
        await house.clock.advance(90.0)
        await house.say(say(1), say(1))
        first, *others = house.bedside.answers
        assert others == [first, first], "byte for byte, though the clock has moved"
        assert len(house.ward.sent) == 1
        assert house.meters.total("messages_received_duplicates") == 2


async def test_other_content_under_a_used_control_id_is_a_message_of_its_own() -> None:
    async with House() as house:
        await house.say(say(1, text="hello"), say(1, text="goodbye"))
        assert house.bedside.codes == ["AA", "AA"]
        assert len(await house.journal.find(Query())) == 2


async def test_what_was_refused_is_taken_once_the_interface_is_there() -> None:
    journal = MemoryJournal()
    async with House(journal=journal, interfaces=(saying(kinds=("SING",)),), subscriptions=()) as house:
        await house.say(say(1), say(1))
        assert house.bedside.codes == ["AR", "AR"]
        assert len(await journal.find(Query())) == 1
    async with House(journal=journal) as house:
        await house.say(say(1))
        assert house.bedside.codes == ["AA"]
        assert len(house.ward.sent) == 1


async def test_a_sender_that_wants_no_answer_gets_none() -> None:
    async with House() as house:
        await house.say(say(1, sender="quiet"))
        assert house.bedside.answers == [(None, "taken")]


async def test_a_bug_in_a_contract_costs_neither_the_message_nor_the_connection() -> None:
    def check(document: list[str]) -> tuple[Violation, ...]:
        raise KeyError(document[3])

    broken: Interface[list[str]] = saying()
    broken.contract = TinyContract("SAY", check=check)
    async with House(interfaces=(broken,)) as house:
        await house.say(say(1, patient="secret"))
        assert house.bedside.codes == ["AR"]
        (stored,) = await house.journal.find(Query())
        assert (stored.state, stored.reason) == ("refused", "bug")
        (told,) = house.told(ReceptionFailed)
        assert "secret" not in told.line()
        assert told.message_id == stored.id


async def test_a_source_that_fails_to_answer_one_sender_costs_no_other_its_answer() -> None:
    journal = Slow()
    async with House(journal=journal) as house:
        journal.gate.clear()
        await house.say(say(0))
        house.engine._receiver.accept("bedside", say(1), "here", lambda *_: {}["connection lost"])  # type: ignore[index]
        await house.say(say(2, patient="p2"))
        journal.gate.set()
        await house.clock.settle()
        assert house.bedside.codes == ["AA", "AA"]
        assert [one.error for one in house.told(AnswerFailed)] == ["KeyError"]
        assert len(house.ward.sent) == 3
        assert house.engine.status().failed == ""


async def test_notices_are_told_once_a_batch() -> None:
    journal = Slow()
    async with House(journal=journal) as house:
        journal.gate.clear()
        await house.say(say(0))
        await house.say(say(1), say(2), say(2), say(3, text=""), b"junk")
        journal.gate.set()
        await house.clock.settle()
        assert [(one.accepted, one.invalid, one.refused, one.duplicates) for one in house.told(MessagesReceived)] == [
            (1, 0, 0, 0),
            (2, 1, 1, 1),
        ]


# ---- backpressure


class Stuck(MemoryJournal):
    """Nothing is handed to the translator while ``stuck``."""

    stuck = True

    async def untranslated(self, limit: int, interfaces: AbstractSet[str] | None = None) -> Sequence[Message]:
        return [] if self.stuck else await super().untranslated(limit, interfaces)


async def test_a_full_backlog_first_slows_then_refuses_and_both_end() -> None:
    journal = Stuck()
    async with House(journal=journal, subscriptions=()) as house:
        await house.say(*(say(number) for number in range(1_000)))
        assert not house.bedside.paused
        await house.say(say(1_000))
        assert house.bedside.paused, "above the bound of 1000 the source is slowed"
        await house.say(*(say(number) for number in range(1_001, 2_001)))
        assert set(house.bedside.codes) == {"AA"}, "what was read before the pause is still taken"
        await house.say(say(5_000), say(5_001))
        assert house.bedside.codes[-2:] == ["BUSY", "BUSY"], "above twice the bound it is refused"
        assert house.meters.total("messages_turned_away_messages", reason="backlog") == 2
        assert not await journal.find(Query(identifier="5000")), "what was answered busy is not kept"
        journal.stuck = False
        await house.clock.advance(2.0)
        assert not house.bedside.paused
        await house.say(say(5_000))
        assert house.bedside.codes[-1] == "AA"
        assert (len(house.told(SourceSlowed)), len(house.told(SourceResumed))) == (1, 1), "it does not flicker"


async def test_the_backlog_of_other_nodes_counts() -> None:
    journal = Stuck()
    async with House(journal=journal, subscriptions=()) as house:
        neighbour = House(journal=journal, subscriptions=())
        neighbour.engine._receiver._journal = journal  # the other node shares the journal, not the memory
        for number in range(1_500):
            neighbour.engine._receiver.accept("bedside", say(number), "there", lambda *_: None)
        await neighbour.engine._receiver._keep_batch()
        await neighbour.engine._receiver._keep_batch()
        await neighbour.engine._receiver._keep_batch()
        assert not house.bedside.paused
        await house.clock.advance(1.1)
        assert house.bedside.paused


# ---- the journal goes away


async def test_a_short_absence_of_the_journal_costs_nobody_an_answer() -> None:
    journal = Slow()
    async with House(journal=journal) as house:
        journal.away = Transient("locked")
        await house.say(say(1))
        assert house.bedside.answers == []
        assert house.bedside.paused
        journal.away = None
        await house.clock.advance(2.0)
        assert house.bedside.codes == ["AA"]
        assert not house.bedside.paused


async def test_a_long_absence_is_answered_busy_and_never_acknowledged() -> None:
    journal = Slow()
    async with House(journal=journal) as house:
        journal.away = Transient("disk-full")
        await house.say(say(1), say(2))
        await house.clock.advance(10.0)
        assert house.bedside.codes == ["BUSY", "BUSY"]
        assert house.meters.total("messages_turned_away_messages", reason="journal") == 2
        assert not await journal.find(Query())
        journal.away = None
        await house.clock.advance(2.0)
        assert not house.bedside.paused
        await house.say(say(1), say(2))
        assert house.bedside.codes[2:] == ["AA", "AA"]
        assert len(house.ward.sent) == 2


async def test_a_commit_whose_answer_was_lost_is_recognised_when_it_is_tried_again() -> None:
    journal = Slow()
    async with House(journal=journal) as house:
        journal.committed_then_away = True
        await house.say(say(1))
        await house.clock.advance(2.0)
        assert house.bedside.codes == ["AA"]
        assert len(await journal.find(Query())) == 1
        assert len(house.ward.sent) == 1


async def test_a_bug_of_the_journal_stops_the_engine_loudly_and_acknowledges_nothing() -> None:
    journal = Slow()
    async with House(journal=journal) as house:
        journal.away = Bug("broken")
        await house.say(say(1))
        assert house.bedside.codes == ["BUSY"]
        assert house.bedside.paused
        assert [one.loop for one in house.told(EngineFailed)] == ["receiver"]
        await house.say(say(2))
        assert house.bedside.codes == ["BUSY", "BUSY"], "an engine that has failed takes nothing more"
        with pytest.raises(Bug):
            await house.engine.wait()
        assert house.engine.status().failed == "Bug"


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.engine.receiver.IN_MEMORY", 100)
    journal = Slow()
    async with House(journal=journal) as house:
        journal.gate.clear()
        await house.say(say(0))
        await house.say(*(say(number, text="x" * 30) for number in range(1, 6)))
        journal.gate.set()
        await house.clock.settle()
        assert house.meters.total("messages_turned_away_messages", reason="memory") == 2
        assert sorted(house.bedside.codes) == ["AA", "AA", "AA", "AA", "BUSY", "BUSY"]
        assert len(house.told(MessagesTurnedAway)) >= 1


async def test_a_large_message_is_taken_beside_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.engine.receiver.IN_MEMORY", 100)
    journal = Slow()
    async with House(journal=journal) as house:
        journal.gate.clear()
        await house.say(say(0))
        await house.say(say(1), say(2, text="x" * 1000), say(3))
        journal.gate.set()
        await house.clock.settle()
        assert house.bedside.codes == ["BUSY", "AA", "AA", "AA"]  # what came after the large one has to come again


async def test_a_source_speaks_one_format() -> None:
    class Other(TinyContract):
        class format:  # noqa: N801
            name = "other"

            @staticmethod
            def header(body: bytes) -> Header:
                return Header()

    other = saying("other", kinds=("ELSE",))
    other.contract = Other("ELSE")
    with pytest.raises(Bug, match="other, tiny"):
        House(interfaces=(saying(), other))


async def test_what_goes_wrong_below_the_message_is_told_once_and_counted() -> None:
    bed = Bedside()
    async with House(sources=(bed,)) as house:
        bed.counts["no-end"] += 2
        bed.counts["refused"] += 1
        await house.clock.advance(3.0)
        bed.counts["no-end"] += 1
        await house.clock.advance(3.0)
        told = [(one.source, one.code, one.times) for one in house.told(SourceDropped)]
        assert told == [(bed.name, "no-end", 2), (bed.name, "no-end", 1)]
