"""The translator: one commit for many, what cannot be translated is set aside alone, others get their turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.house import House, say, saying

from isthmus.core import Transient
from isthmus.engine.telemetry import LoopRestarted, TranslatorFailed
from isthmus.engine.translator import Translator
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Query, Translated


class Counted(MemoryJournal):
    def __init__(self) -> None:
        super().__init__()
        self.commits: list[int] = []
        self.away = 0

    async def translated(self, results: Sequence[Translated], now: datetime) -> None:
        if self.away:
            self.away -= 1
            raise Transient("locked")
        self.commits.append(len(results))
        await super().translated(results, now)


async def test_a_bug_sets_one_message_aside_and_the_others_go_on() -> None:
    async with House() as house:
        await house.say(say(1), say(2, patient="secret", text="bug"), say(3), say(4, text="bug"))
        assert house.ward.bodies == ["hello", "hello"]
        assert [(one.control_id, one.reason) for one in await house.journal.find(Query(state="failed"))] == [
            ("4", "exception"),
            ("2", "exception"),
        ]
        (told,) = house.told(TranslatorFailed)
        assert told.messages == 2, "one notice for a batch, however many fail"
        assert "secret" not in told.line()
        assert "said:" in told.detail, "it says where"


async def test_what_the_translator_calls_invalid_is_kept_and_found() -> None:
    async with House() as house:
        await house.say(say(1, patient="p9", text="wrong"))
        (stored,) = await house.journal.find(Query(identifier="p9"))
        assert (stored.state, stored.reason) == ("invalid", "wrong-word")
        story = await house.journal.story(stored.id)
        assert story is not None
        assert [one.cure for one in story.violations] == ["say something else"]


async def test_a_message_may_mean_nothing() -> None:
    async with House() as house:
        await house.say(say(1, text="silence"))
        assert [one.state for one in await house.journal.find(Query())] == ["translated"]
        assert house.ward.sent == []


async def test_many_messages_are_one_commit() -> None:
    journal = Counted()
    async with House(journal=journal, subscriptions=()) as house:
        await house.say(*(say(number) for number in range(300)))
        assert journal.commits == [256, 44]


async def test_a_message_of_an_interface_that_is_gone_is_failed_and_told() -> None:
    journal = MemoryJournal()
    translator = Translator(House(journal=journal).site, journal, clock=House().clock, notify=lambda _: None, translated=lambda *_: None)
    async with House(journal=journal, interfaces=(saying("old"),)) as house:
        house.engine._translator._interfaces.clear()
        await house.say(say(1))
        (stored,) = await journal.find(Query())
        assert (stored.state, stored.reason) == ("failed", "interface-gone")
        message = await journal.message(stored.id)
        assert message is not None
        assert "declare it again" in translator.result(message).detail


async def test_the_journals_hiccup_is_told_and_survived() -> None:
    journal = Counted()
    journal.away = 2
    async with House(journal=journal) as house:
        await house.say(say(1))
        await house.clock.advance(2.0)
        assert house.ward.bodies == ["hello"]
        assert [one.loop for one in house.told(LoopRestarted)] == ["translator", "translator"]


async def test_work_that_no_wake_announced_is_found_within_a_second() -> None:
    journal = MemoryJournal()
    async with House(journal=journal) as house:
        neighbour = House(journal=journal)
        neighbour.engine._receiver.accept("bedside", say(1), "there", lambda *_: None)
        await neighbour.engine._receiver._keep_batch()
        await house.clock.settle()
        assert house.ward.sent == []
        await house.clock.advance(1.0)
        assert house.ward.bodies == ["hello"]
