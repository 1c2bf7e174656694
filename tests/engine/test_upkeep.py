"""Lifeline, pruner, registrar, supervisor and telemetry."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from engine.house import CARE, OK, Desk, House, Said, TinyContract, say, saying

from isthmus.core import Bug, Event, Interface, Receipt, Transient
from isthmus.core.events import DeliveryAcknowledged
from isthmus.engine import telemetry
from isthmus.engine.clock import FakeClock
from isthmus.engine.supervisor import Supervisor
from isthmus.engine.telemetry import BodiesPruned, ClaimsReleased, EngineFailed, LoopRestarted, Meters, Notice, ReceiptUnmatched, logged
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Query

# ---- lifeline


async def test_what_a_dead_process_was_sending_is_checked_before_it_is_sent() -> None:
    journal, dead = MemoryJournal(), Desk()
    dead.gate = asyncio.Event()
    house = House(journal=journal, desks={"ward": dead}, node="dead")
    await house.engine.start()
    await house.say(say(1), say(2, patient="p2"))
    assert await journal.owners() == ["dead/ward"]
    await house.engine._supervisor.stop()  # as if it had been killed: nothing is handed back
    alive = Desk(check=lambda _: OK)
    async with House(journal=journal, desks={"ward": alive}, node="alive", clock=house.clock) as second:
        assert [(one.owner, one.claims) for one in second.told(ClaimsReleased)] == [("dead/ward", 2)]
        assert {one.key for one in alive.checked} == {"1", "2"}
        assert alive.sent == []


async def test_who_ends_gives_back_what_it_could_not_settle() -> None:
    journal, desk = MemoryJournal(), Desk()
    desk.gate = asyncio.Event()
    async with House(journal=journal, desks={"ward": desk}) as house:
        await house.say(say(1))
        assert await journal.owners() == ["here:1:1/ward"]
    assert await journal.owners() == []


# ---- pruner


async def test_bodies_go_when_their_time_has_passed_and_history_stays() -> None:
    async with House() as house:
        await house.say(say(1), b"junk")
        await house.clock.advance(1.0)
        await house.clock.jump(89 * 86_400.0)
        await house.clock.advance(1.0)
        assert house.told(BodiesPruned) == []
        await house.say(say(2))
        await house.clock.jump(2 * 86_400.0)
        await house.clock.advance(1.0)
        assert [(one.interface, one.messages) for one in house.told(BodiesPruned)] == [("talk", 1), ("", 1)]
        story = await house.story_of(1)
        assert story.message.state == "translated"
        bodies = [await house.journal.message(one.id) for one in await house.journal.find(Query())]
        assert sorted(one.body for one in bodies if one) == [b"", b"", say(2)]


async def test_the_first_round_comes_soon_after_a_start() -> None:
    journal = MemoryJournal()
    async with House(journal=journal) as house:
        await house.say(say(1))
    later = FakeClock(house.clock.now() + timedelta(days=100))
    async with House(journal=journal, clock=later) as second:
        await later.advance(61.0)
        assert len(second.told(BodiesPruned)) == 1


# ---- registrar


def answering() -> Interface[list[str]]:
    interface = Interface("answers", source="bedside", owner="ward", contract=TinyContract("ANSWER"), classification=CARE)

    @interface.translate("ANSWER")
    def answered(document: list[str]) -> Iterator[Event]:
        yield DeliveryAcknowledged(endpoint=document[3], control_id=document[2], code=document[4])

    return interface


async def test_an_acknowledgement_that_comes_as_a_message_is_entered_as_a_receipt() -> None:
    async with House(interfaces=(saying(), answering()), events=(Said, DeliveryAcknowledged)) as house:
        await house.say(say(1))
        await house.say(b"ANSWER|ward|1|ward|AA", b"ANSWER|ward|77|ward|AE")
        story = await house.story_of(1)
        assert [(one.kind, one.code) for _, one in story.receipts] == [("application", "ok"), ("application", "AA")]
        assert len(house.told(ReceiptUnmatched)) == 1


async def test_a_crash_between_event_and_entry_loses_no_receipt() -> None:
    class Crashing(MemoryJournal):
        crash = True

        async def receipt(self, *given: Any) -> bool:
            if self.crash:
                raise Bug("crash")
            return await super().receipt(*given)

    journal, built = Crashing(), {"interfaces": (saying(), answering()), "events": (Said, DeliveryAcknowledged)}
    async with House(journal=journal, **built) as house:  # type: ignore[arg-type]
        await house.say(say(1), b"ANSWER|ward|1|ward|AA")
        assert [one.loop for one in house.told(EngineFailed)] == ["subscriber isthmus.registrar"]
    journal.crash = False
    async with House(journal=journal, clock=house.clock, **built) as house:  # type: ignore[arg-type]
        story = await house.story_of(1)
        assert ("application", "AA") in [(one.kind, one.code) for _, one in story.receipts]


async def test_what_a_client_hears_late_is_entered_too() -> None:
    class Listening(Desk):
        late: Any = None

    desk = Listening()
    async with House(desks={"ward": desk}) as house:
        await house.say(say(1))
        desk.late("1", Receipt("application", "AA"))
        desk.late("unheard of", Receipt("application", "AE"))
        await house.clock.settle()
        story = await house.story_of(1)
        assert [one.code for _, one in story.receipts] == ["ok", "AA"]
        assert len(house.told(ReceiptUnmatched)) == 1


# ---- supervisor


async def test_a_loop_that_meets_a_hiccup_begins_again_and_backs_off() -> None:
    clock, notices, starts = FakeClock(), [], []

    async def loop() -> None:
        starts.append(clock.monotonic())
        raise Transient("away")

    supervisor = Supervisor(clock=clock, rng=random.Random(1), notify=notices.append, failing=lambda: None)
    supervisor.start("courier", loop)
    await clock.advance(60.0)
    assert 5 < len(starts) < 40
    assert all(isinstance(one, LoopRestarted) for one in notices)
    await supervisor.stop()


@pytest.mark.parametrize("error", [KeyError("secret"), Bug("broken"), asyncio.CancelledError()])
async def test_a_loop_that_meets_a_bug_ends_all_loudly(error: BaseException) -> None:
    clock, notices, failing = FakeClock(), [], []

    async def broken() -> None:
        await clock.sleep(1.0)
        raise error

    async def fine() -> None:
        await clock.sleep(1e9)

    supervisor = Supervisor(clock=clock, rng=random.Random(1), notify=notices.append, failing=lambda: failing.append(1))
    supervisor.start("fine", fine)
    supervisor.start("broken", broken)
    supervisor.start("broken too", broken)
    await clock.advance(2.0)
    assert [type(one) for one in notices] == [EngineFailed]
    assert "secret" not in notices[0].line()
    assert failing == [1]
    with pytest.raises((KeyError, Bug)):
        await supervisor.wait()
    await clock.settle()
    assert supervisor.running == 0, "no loop is left half alive"
    await supervisor.stop()


# ---- telemetry


def notices() -> Sequence[type[Notice]]:
    return [one for one in vars(telemetry).values() if isinstance(one, type) and issubclass(one, Notice) and one is not Notice]


@pytest.mark.parametrize("kind", notices())
def test_every_notice_can_be_read_and_counted(kind: type[Notice]) -> None:
    filled = {name: 3 if name in kind.counts else "x" for name in kind.__struct_fields__}
    filled.update({name: 1.0 for name in ("pause",) if name in filled})
    notice = kind(**filled)
    assert notice.line()
    assert "{" not in notice.line()
    assert set(kind.labels) | set(kind.counts) <= set(kind.__struct_fields__)
    for name, labels, value in notice.counters():
        assert name.islower()
        assert value > 0
        assert {label for label, _ in labels} == set(kind.labels)


def test_meters_add_up_and_logs_are_written_at_the_notices_level(caplog: pytest.LogCaptureFixture) -> None:
    meters = Meters()
    for accepted in (2, 3):
        meters(telemetry.MessagesReceived(source="a", accepted=accepted, duplicates=1))
    meters(telemetry.MessagesReceived(source="b", accepted=10))
    assert meters.total("messages_received_accepted") == 15
    assert meters.total("messages_received_accepted", source="a") == 5
    assert meters.total("messages_received_duplicates") == 2
    with caplog.at_level(logging.INFO):
        write = logged(logging.getLogger("isthmus"))
        write(telemetry.MessagesReceived(source="a"))
        write(telemetry.SourceSlowed(source="a", reason="backlog"))
    assert [(one.levelname, one.message) for one in caplog.records] == [("WARNING", "a is paused: backlog")]
