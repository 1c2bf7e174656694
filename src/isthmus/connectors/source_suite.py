"""The contract suite of sources that take messages from a broker: what the receiver may rely on. Shipped, as is the suite of clients.

A connector brings a *source stand*: a broker with a queue or stream of this test's own, and sources that read it. In a test module::

    @pytest.mark.parametrize("clause", SOURCE_CLAUSES, ids=clause_name)
    async def test_source_contract(clause, source_stand):
        await clause(source_stand)

A clause raises ``AssertionError`` with one sentence. Nothing here needs pytest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, Protocol

from msgspec import Struct

from isthmus.connectors.port import Reply, Said, Source

ENOUGH = 20.0
"""Seconds for what should happen soon."""
MOMENT = 0.4
"""Seconds in which something that must not happen would happen."""
GLANCE = 0.01


class SourceStand(Protocol):
    """A broker in the hands of a test."""

    window: int
    """How many unanswered messages a source of this stand holds at most."""

    def source(self) -> Source:
        """Built, not started; each time another one for the same queue or stream, as after a restart."""
        ...

    async def put(self, key: str, number: int) -> bytes:
        """Put a message into the broker, durably; returns the body that has to arrive. Those with one key keep their order."""
        ...

    async def behave(self, behaviour: Literal["takes", "down"]) -> None:
        """down: connections are cut and refused. ``put`` works all the same."""
        ...

    async def left(self) -> int:
        """Messages that the broker would give again after a restart: those that are not settled."""
        ...


SourceClause = Callable[[SourceStand], Awaitable[None]]


class Handed(Struct):
    """One message that was handed over, and how to answer it."""

    body: bytes
    reply: Reply

    def answer(self, said: Said) -> None:
        self.reply(None, said)


class Taker:
    """A receiver in the hands of a clause. ``said``: what it says at once; None: nothing, the clause answers."""

    def __init__(self, said: Said | None = None) -> None:
        self.said: Said | None = said
        self.handed: list[Handed] = []

    @property
    def bodies(self) -> list[bytes]:
        return [one.body for one in self.handed]

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        del source, peer
        one = Handed(body, reply)
        self.handed.append(one)
        if self.said is not None:
            one.answer(self.said)

    async def has(self, count: int) -> None:
        await _until(lambda: len(self.handed) >= count, f"{count} messages are handed over")


# ---- the clauses -------------------------------------------------------------------------------------------------------------------


async def hands_over_byte_for_byte_in_order(stand: SourceStand) -> None:
    """What was put before the start and what comes after it, as it was put; then nothing is left at the broker."""
    wanted = [await stand.put("a", number) for number in range(5)]
    taker = Taker("taken")
    async with _started(stand, taker):
        wanted += [await stand.put("a", number) for number in range(5, 10)]
        await taker.has(10)
        _expect(taker.bodies == wanted, "messages of one key arrive as they were put, in their order")
        await _none_left(stand)


async def settles_only_what_is_durable(stand: SourceStand) -> None:
    """As long as the receiver has not answered, the broker keeps the message."""
    await stand.put("a", 1)
    taker = Taker()
    async with _started(stand, taker):
        await taker.has(1)
        await asyncio.sleep(MOMENT)
        _expect(await stand.left() == 1, "a message that is not answered stays at the broker")
        taker.handed[0].answer("taken")
        await _none_left(stand)


async def settles_what_was_refused(stand: SourceStand) -> None:
    """It is in the journal with its reason: it is not sent again, and the next is not held up."""
    bodies = [await stand.put("a", number) for number in range(2)]
    taker = Taker("refused")
    source = stand.source()
    await source.start(taker.accept)
    await taker.has(2)
    await _none_left(stand)
    await source.stop()
    _expect(taker.bodies == bodies, "each refused message is handed over once")
    _expect(source.counts["refused"] == 2, "refusals are counted")  # noqa: PLR2004 - both


async def offers_again_what_was_turned_away(stand: SourceStand) -> None:
    """Busy is no refusal: the message waits, comes again, and nothing of its key overtakes it, whatever is said to the next."""
    bodies = [await stand.put("a", number) for number in range(4)]
    taker = Taker()
    taken: list[bytes] = []
    seen = 0
    async with _started(stand, taker):
        deadline = asyncio.get_running_loop().time() + ENOUGH
        turned_away = False
        while len(taken) < len(bodies):
            _expect(asyncio.get_running_loop().time() < deadline, "what was turned away is offered again")
            await asyncio.sleep(GLANCE)
            await asyncio.sleep(MOMENT if not seen else 0)  # so that whatever a source hands over together is here together
            for one in taker.handed[seen:]:
                seen += 1
                if turned_away:
                    taken.append(one.body)
                one.answer("taken" if turned_away else "busy")
                turned_away = True
        _expect(taken == bodies, "messages of one key reach the journal in their order, though the first was turned away once")
        await _none_left(stand)


async def gives_again_what_was_not_answered(stand: SourceStand) -> None:
    """The connection ends between hand-over and answer: the message comes again, so nothing is lost if we died there."""
    bodies = [await stand.put(f"key-{number}", number) for number in range(3)]
    taker = Taker()
    async with _started(stand, taker):
        await taker.has(3)
        first = list(taker.handed)
        await stand.behave("down")
        await stand.behave("takes")
        taker.said = "taken"
        await _until(lambda: set(taker.bodies[3:]) >= set(bodies), "what was not answered comes again after an interruption")
        for one in first:
            one.answer("taken")  # late answers for a connection that is gone
        await _none_left(stand)


async def goes_on_after_a_restart(stand: SourceStand) -> None:
    """A second source of the same name goes on where the first was stopped, and takes nothing twice that was settled."""
    taker = Taker("taken")
    before = [await stand.put("a", number) for number in range(3)]
    async with _started(stand, taker):
        await taker.has(3)
        await _none_left(stand)
    after = [await stand.put("a", number) for number in range(3, 6)]
    async with _started(stand, taker):
        await taker.has(6)
        await _none_left(stand)
    _expect(taker.bodies == before + after, "each once, in order, over a restart")


async def comes_back_after_an_outage(stand: SourceStand) -> None:
    """Down is not the end: when the broker is there again, messages come without anybody's help."""
    taker = Taker("taken")
    async with _started(stand, taker):
        first = await stand.put("a", 1)
        await taker.has(1)
        await stand.behave("down")
        second = await stand.put("a", 2)
        await asyncio.sleep(MOMENT)
        await stand.behave("takes")
        await _until(lambda: second in taker.bodies, "messages come again after an outage")
        _expect(list(dict.fromkeys(taker.bodies)) == [first, second], "in order")


async def starts_while_the_broker_is_down(stand: SourceStand) -> None:
    """A broker that is away at the start is no reason not to start."""
    await stand.behave("down")
    await stand.put("a", 1)
    taker = Taker("taken")
    async with _started(stand, taker):
        await stand.behave("takes")
        await taker.has(1)


async def holds_no_more_than_its_window(stand: SourceStand) -> None:
    """Whatever is in the broker, only a window of it is here; when some is answered, more comes."""
    count = 2 * stand.window + 3
    for number in range(count):
        await stand.put(f"key-{number}", number)
    taker = Taker()
    async with _started(stand, taker):
        await taker.has(min(stand.window, 2))
        await asyncio.sleep(MOMENT)
        _expect(len(taker.handed) <= stand.window, f"at most {stand.window} are handed over and not answered, not {len(taker.handed)}")
        answered = 0
        while answered < count:
            await taker.has(answered + 1)
            for one in taker.handed[answered:]:
                one.answer("taken")
                answered += 1
        await _none_left(stand)


async def pauses_and_resumes(stand: SourceStand) -> None:
    """While it is paused nothing is handed over; nothing that was read is lost."""
    taker = Taker("taken")
    async with _started(stand, taker) as source:
        await stand.put("a", 1)
        await taker.has(1)
        source.pause()
        bodies = [await stand.put("a", number) for number in range(2, 6)]
        await asyncio.sleep(MOMENT)
        _expect(len(taker.handed) == 1, "nothing is handed over while it is paused")
        source.resume()
        await taker.has(5)
        _expect(taker.bodies[1:] == bodies, "in order after the pause")


async def stops_when_all_is_answered(stand: SourceStand) -> None:
    """``stop`` hands over nothing more and returns when what was handed over has been answered; the answer still counts."""
    await stand.put("a", 1)
    taker = Taker()
    source = stand.source()
    await source.start(taker.accept)
    await taker.has(1)
    stopping = asyncio.create_task(source.stop())
    await stand.put("b", 2)
    await asyncio.sleep(MOMENT)
    _expect(not stopping.done(), "stop waits for answers")
    taker.handed[0].answer("taken")
    await asyncio.wait_for(stopping, ENOUGH)
    _expect(len(taker.handed) == 1, "nothing is handed over after stop")
    await _until_left(stand, 1)


SOURCE_CLAUSES: tuple[SourceClause, ...] = (
    hands_over_byte_for_byte_in_order,
    settles_only_what_is_durable,
    settles_what_was_refused,
    offers_again_what_was_turned_away,
    gives_again_what_was_not_answered,
    goes_on_after_a_restart,
    comes_back_after_an_outage,
    starts_while_the_broker_is_down,
    holds_no_more_than_its_window,
    pauses_and_resumes,
    stops_when_all_is_answered,
)


# ---- inside ------------------------------------------------------------------------------------------------------------------------


def _expect(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


async def _until(holds: Callable[[], bool], sentence: str) -> None:
    until = asyncio.get_running_loop().time() + ENOUGH
    while not holds():
        _expect(asyncio.get_running_loop().time() < until, sentence)
        await asyncio.sleep(GLANCE)


async def _until_left(stand: SourceStand, count: int) -> None:
    until = asyncio.get_running_loop().time() + ENOUGH
    while (left := await stand.left()) != count:
        _expect(asyncio.get_running_loop().time() < until, f"{count} messages are left at the broker, not {left}")
        await asyncio.sleep(GLANCE)


async def _none_left(stand: SourceStand) -> None:
    await _until_left(stand, 0)


@asynccontextmanager
async def _started(stand: SourceStand, taker: Taker) -> AsyncIterator[Source]:
    source = stand.source()
    await source.start(taker.accept)
    try:
        yield source
    finally:
        await asyncio.wait_for(source.stop(), ENOUGH)
