"""The MLLP listener on real sockets, with a receiver in the test's hands."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from isthmus.connectors.mllp import MllpSource
from isthmus.connectors.mllp.practice import PracticeSender
from isthmus.connectors.mllp.source import MllpListener
from isthmus.connectors.port import Reply
from isthmus.core import Rejected
from isthmus.formats.hl7v2 import read_acknowledgement
from isthmus.formats.hl7v2.mllp import frame

Listen = Callable[..., Awaitable[MllpListener]]


def message(number: int, size: int = 0) -> bytes:
    return b"MSH|^~\\&|EHR|HOSP|||20260101||ADT^A01|C%d|P|2.5.1\rPID|||%d\rNTE|||%b\r" % (number, number, b"x" * size)


class Hand:
    """A receiver that answers when the test says so."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Reply]] = []
        self.peers: set[str] = set()
        self.at_once = True

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        assert source == "clinical"
        self.taken.append((body, reply))
        self.peers.add(peer)
        if self.at_once:
            self.answer(len(self.taken) - 1)

    def answer(self, index: int) -> None:
        body, reply = self.taken[index]
        reply(b"ack of " + body.split(b"|")[9], "taken")

    @property
    def bodies(self) -> list[bytes]:
        return [body for body, _ in self.taken]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def listen(hand: Hand) -> AsyncIterator[Listen]:
    made: list[MllpListener] = []

    async def build(**settings: object) -> MllpListener:
        listener = MllpListener("clinical", MllpSource(**settings), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
        await listener.start(hand.accept)
        made.append(listener)
        return listener

    yield build
    for listener in made:
        for index in range(len(hand.taken)):
            hand.answer(index)
        await listener.stop()


def sender(listener: MllpListener) -> PracticeSender:
    return PracticeSender("127.0.0.1", listener.port)


async def test_takes_and_answers(listen: Listen, hand: Hand) -> None:
    async with sender(await listen()) as ehr:
        for number in range(3):
            assert await ehr.ask(message(number)) == b"ack of C%d" % number
    assert hand.bodies == [message(number) for number in range(3)]
    assert next(iter(hand.peers)).startswith("127.0.0.1:")


async def test_answers_in_the_order_of_the_messages(listen: Listen, hand: Hand) -> None:
    """Pipelined frames become durable in any order; the sender may still count on the order of the answers."""
    hand.at_once = False
    async with sender(await listen()) as ehr:
        await ehr.send(b"".join(frame(message(number)) for number in range(4)))
        await until(lambda: len(hand.taken) == 4)
        for index in (2, 0, 3, 1):
            hand.answer(index)
        assert [await ehr.hear() for _ in range(4)] == [b"ack of C%d" % number for number in range(4)]


async def test_a_message_that_wants_no_answer_does_not_hold_the_next(listen: Listen, hand: Hand) -> None:
    hand.at_once = False
    async with sender(await listen()) as ehr:
        await ehr.send(frame(message(1)) + frame(message(2)))
        await until(lambda: len(hand.taken) == 2)
        hand.answer(1)
        hand.taken[0][1](None, True)
        assert await ehr.hear() == b"ack of C2"


async def test_frames_in_pieces_and_many_at_once(listen: Listen, hand: Hand) -> None:
    async with sender(await listen()) as ehr:
        stream = b"".join(frame(message(number, 50)) for number in range(3))
        for start in range(0, len(stream), 7):
            await ehr.send(stream[start : start + 7])
        assert [await ehr.hear() for _ in range(3)] == [b"ack of C%d" % number for number in range(3)]


async def test_many_connections(listen: Listen, hand: Hand) -> None:
    listener = await listen()

    async def feed(first: int) -> list[bytes | None]:
        async with sender(listener) as ehr:
            return [await ehr.ask(message(first + number)) for number in range(10)]

    answers = await asyncio.gather(*(feed(100 * line) for line in range(20)))
    assert answers == [[b"ack of C%d" % (100 * line + number) for number in range(10)] for line in range(20)]
    assert len(hand.peers) == 20


async def test_noise_between_frames_is_counted_and_passed_over(listen: Listen, hand: Hand) -> None:
    listener = await listen()
    async with sender(listener) as ehr:
        await ehr.send(b"GET / HTTP/1.1\x1c" + frame(message(1)))
        assert await ehr.hear() == b"ack of C1"
        await ehr.send(b"\x0bMSH|^~\\&|half" + frame(message(2)))
        assert await ehr.hear() == b"ack of C2"
    assert hand.bodies == [message(1), message(2)]
    assert listener.counts == {"between-frames": 1, "no-end": 1}


async def test_a_frame_without_its_end_is_not_taken(listen: Listen, hand: Hand) -> None:
    """Half an order must never look like a whole one."""
    listener = await listen()
    async with sender(listener) as ehr:
        await ehr.send(frame(message(1))[:-2])
    await until(lambda: listener.connections == 0 and listener.counts["no-end"] == 1)
    assert hand.taken == []


async def test_too_large_is_answered_ar_and_the_connection_closed(listen: Listen, hand: Hand) -> None:
    listener = await listen(max_bytes=1_000)
    async with sender(listener) as ehr:
        await ehr.send(frame(message(1)) + frame(message(2, 5_000)) + frame(message(3)))
        assert await ehr.hear() == b"ack of C1"
        answer = read_acknowledgement(await ehr.hear() or b"")
        assert (answer.code, answer.control_id) == ("AR", "C2")
        assert "1000" in answer.text
        assert await ehr.hear() is None
    assert hand.bodies == [message(1)]
    assert listener.counts["too-large"] == 1


async def test_the_answer_to_what_is_too_large_arrives_although_the_sender_goes_on_sending(listen: Listen, hand: Hand) -> None:
    """Closed with bytes unread, TCP would reset the connection and the sender would never see the AR."""
    listener = await listen(max_bytes=1_000)

    def send_all_then_listen() -> bytes:
        with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as raw:
            raw.sendall(frame(message(2, 5_000)) + frame(message(3, 20_000_000)))
            return b"".join(iter(lambda: raw.recv(65_536), b""))

    heard = await asyncio.get_running_loop().run_in_executor(None, send_all_then_listen)
    assert read_acknowledgement(heard.strip(b"\x0b\x1c\r")).control_id == "C2"
    assert hand.taken == []


async def test_a_frame_without_end_is_cut_off(listen: Listen, hand: Hand) -> None:
    listener = await listen(max_bytes=1_000)
    async with sender(listener) as ehr:
        with suppress(ConnectionError):
            await ehr.send(b"\x0b" + b"x" * 100_000)
            assert await ehr.hear() is None
    await until(lambda: listener.connections == 0)
    assert listener.counts["endless"] == 1
    assert hand.taken == []


async def test_paused_reads_nothing_and_loses_nothing(listen: Listen, hand: Hand) -> None:
    listener = await listen()
    async with sender(listener) as before:
        assert await before.ask(message(0)) == b"ack of C0"
        listener.pause()
        async with sender(listener) as after:
            await before.send(frame(message(1)))
            await after.send(frame(message(2)))
            await until(lambda: listener.connections == 2)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(before.hear(), 0.1)
            assert hand.bodies == [message(0)]
            listener.resume()
            assert await before.hear() == b"ack of C1"
            assert await after.hear() == b"ack of C2"


async def test_a_sender_that_does_not_wait_for_answers_is_held_back(listen: Listen, hand: Hand) -> None:
    hand.at_once = False
    listener = await listen(max_unanswered=10)
    async with sender(listener) as ehr:
        sending = asyncio.create_task(ehr.send(b"".join(frame(message(number, 200_000)) for number in range(100))))
        await until(lambda: len(hand.taken) >= 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(sending), 0.2)
        assert len(hand.taken) < 20, "it reads on although nothing is answered"
        for number in range(100):
            await until(lambda number=number: len(hand.taken) > number)  # type: ignore[misc]
            hand.answer(number)
            assert await ehr.hear() == b"ack of C%d" % number
        await sending


async def test_one_connection_too_many_is_turned_away(listen: Listen, hand: Hand) -> None:
    listener = await listen(max_connections=2)
    async with sender(listener) as first, sender(listener) as second:
        assert await first.ask(message(1)) == b"ack of C1"
        assert await second.ask(message(2)) == b"ack of C2"
        async with sender(listener) as third:
            with suppress(ConnectionError):
                assert await third.ask(message(3)) is None
        assert await first.ask(message(4)) == b"ack of C4"
    assert listener.counts["too-many-connections"] == 1


async def test_an_idle_connection_is_closed_but_not_one_that_waits_for_its_answer(listen: Listen, hand: Hand) -> None:
    hand.at_once = False
    listener = await listen(idle_timeout=0.1)
    async with sender(listener) as silent, sender(listener) as waiting:
        await waiting.send(frame(message(1)))
        assert await asyncio.wait_for(silent.hear(), 5) is None
        await until(lambda: len(hand.taken) == 1)
        hand.answer(0)
        assert await waiting.hear() == b"ack of C1"
    assert listener.counts["idle"] == 1


async def test_stop_answers_what_was_handed_over_and_takes_nothing_more(listen: Listen, hand: Hand) -> None:
    hand.at_once = False
    listener = await listen()
    async with sender(listener) as ehr, sender(listener) as silent:
        await ehr.send(frame(message(1)) + frame(message(2)))
        await until(lambda: len(hand.taken) == 2 and listener.connections == 2)
        stopping = asyncio.create_task(listener.stop())
        assert await silent.hear() is None
        assert not stopping.done()
        await ehr.send(frame(message(3)))
        hand.answer(0)
        assert await ehr.hear() == b"ack of C1"
        assert not stopping.done()
        hand.answer(1)
        assert await ehr.hear() == b"ack of C2"
        await asyncio.wait_for(stopping, 5)
    assert hand.bodies == [message(1), message(2)]
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", listener.port or 1)


async def test_a_sender_that_half_closes_still_gets_its_answers(listen: Listen, hand: Hand) -> None:
    hand.at_once = False
    listener = await listen()
    async with sender(listener) as ehr:
        await ehr.send(frame(message(1)))
        ehr.end()
        await until(lambda: len(hand.taken) == 1)
        await asyncio.sleep(0)
        hand.answer(0)
        assert await ehr.hear() == b"ack of C1"
        assert await ehr.hear() is None
    await until(lambda: listener.connections == 0)


async def test_a_sender_that_left_before_its_answer(listen: Listen, hand: Hand) -> None:
    """Its message is on its way all the same, so stop waits until the receiver is done with it."""
    hand.at_once = False
    listener = await listen()
    async with sender(listener) as ehr:
        await ehr.send(frame(message(1)))
        await until(lambda: len(hand.taken) == 1)
    await until(lambda: listener.counts["answer-lost"] == 1)
    stopping = asyncio.create_task(listener.stop())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    hand.answer(0)
    await asyncio.wait_for(stopping, 5)


async def test_silent_connections_are_probed(listen: Listen) -> None:
    """A sender that vanished without a word must not hold its place for ever."""
    listener = await listen(keepalive=7)
    async with sender(listener) as ehr:
        assert await ehr.ask(message(1)) is not None
        (inlet,) = listener._inlets
        assert inlet._transport is not None
        with socket.socket(fileno=os.dup(inlet._transport.get_extra_info("socket").fileno())) as twin:
            assert twin.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7


async def test_a_port_that_is_taken_is_told(listen: Listen) -> None:
    taken = await listen()
    with pytest.raises(Rejected, match=f"sources.clinical cannot listen on 127.0.0.1:{taken.port}"):
        await listen(port=taken.port)
