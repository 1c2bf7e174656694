"""The allowance: bounded over all connections, never a standstill, and nothing small ever waits."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.allowance import SMALL, Allowance
from isthmus.connectors.http.settings import HttpSource
from isthmus.connectors.http.source import HttpListener
from isthmus.connectors.mllp.settings import MllpSource
from isthmus.connectors.mllp.source import MllpListener
from isthmus.connectors.port import Reply
from isthmus.formats.hl7v2.mllp import Decoder, Frame, Noise, frame

MB = 1 << 20


class Sender:
    """One that wants to send a message of so many bytes, in pieces, as fast as it is read."""

    def __init__(self, allowance: Allowance, size: int) -> None:
        self.allowance, self.left, self.sent = allowance, size, 0

    def regulate(self) -> None: ...

    def step(self, piece: int) -> bool:
        """Send a piece, if it is read; True once all is there."""
        if not self.allowance.permits(self):
            return False
        piece = min(piece, self.left)
        self.left, self.sent = self.left - piece, self.sent + piece
        self.allowance.pending(self, self.sent if self.left else 0)
        if not self.left and self.sent > SMALL:
            self.allowance.keep(self.sent)
        return not self.left


@given(sizes=st.lists(st.integers(1, 3 * MB), min_size=1, max_size=12), order=st.randoms(use_true_random=False))
def test_all_messages_arrive_within_the_allowance_and_one_more(sizes: list[int], order: object) -> None:
    limit, piece, largest = 2 * MB, 256 << 10, 3 * MB
    allowance = Allowance(limit)
    senders = [Sender(allowance, size) for size in sizes]
    unanswered: list[Sender] = []
    rounds = 0
    while senders:
        rounds += 1
        assert rounds < 10_000, "a standstill"
        order.shuffle(senders)  # type: ignore[attr-defined]
        for sender in tuple(senders):
            if sender.step(piece):
                senders.remove(sender)
                unanswered.append(sender)
            # Each that is read with the allowance not yet used up may add one piece before it is told to stop.
            assert allowance.held <= limit + largest + len(sizes) * (piece + SMALL)
        while unanswered and order.random() < 0.5:  # type: ignore[attr-defined]
            answered = unanswered.pop()
            if answered.sent > SMALL:
                allowance.release(answered.sent)
    for answered in unanswered:
        allowance.release(answered.sent if answered.sent > SMALL else 0)
    assert allowance.held == 0


def test_what_is_small_is_never_held_back() -> None:
    allowance = Allowance(1)
    first, second, small = (Sender(allowance, 0) for _ in range(3))
    allowance.pending(first, MB)
    allowance.pending(second, MB)
    allowance.pending(small, SMALL)
    assert (allowance.permits(first), allowance.permits(second), allowance.permits(small)) == (True, False, True)


class Hand:
    """A receiver that answers when the test says so."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.replies: list[Reply] = []

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        del source, peer
        self.taken.append(len(body))
        self.replies.append(reply)

    def answer(self) -> None:
        replies, self.replies = self.replies, []
        for reply in replies:
            reply(b"MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|AA|1\r", "taken")


async def _until(hand: Hand, taken: int) -> None:
    async with asyncio.timeout(20):
        while len(hand.taken) < taken:
            await asyncio.sleep(0.002)


def _scan(size: int) -> bytes:
    return b"MSH|^~\\&|EHR|HOSP|||20260101||MDM^T02|C1|P|2.5.1\rOBX|1|ED|||^^^A^" + b"x" * size + b"\r"


async def test_mllp_reads_large_messages_one_after_the_other_and_small_ones_beside_them() -> None:
    hand = Hand()
    listener = MllpListener("scans", MllpSource(max_bytes=8 * MB, max_held=4 * MB))
    await listener.start(hand.accept)
    connections = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(5)]
    large = frame(_scan(6 * MB))
    for _, writer in connections[:4]:
        writer.write(large)
    await _until(hand, 1)
    connections[4][1].write(frame(_scan(10)))
    await _until(hand, 2)
    assert sorted(hand.taken) == [len(_scan(10)), len(_scan(6 * MB))]  # the others wait: one large message has no answer yet
    hand.answer()
    for expected in (3, 4, 5):
        await _until(hand, expected)
        assert len(hand.taken) == expected
        hand.answer()
    assert max(hand.taken) == len(_scan(6 * MB))
    for _, writer in connections:
        writer.close()
    await listener.stop()


async def test_a_sender_that_goes_away_in_the_middle_gives_its_place_back() -> None:
    hand = Hand()
    listener = MllpListener("scans", MllpSource(max_bytes=8 * MB, max_held=1 * MB))
    await listener.start(hand.accept)
    _, gone = await asyncio.open_connection("127.0.0.1", listener.port)
    gone.write(frame(_scan(6 * MB))[: 2 * MB])
    await gone.drain()
    _, other = await asyncio.open_connection("127.0.0.1", listener.port)
    other.write(frame(_scan(6 * MB)))
    gone.close()
    await _until(hand, 1)
    hand.answer()
    other.close()
    await listener.stop()


async def test_http_reads_large_bodies_one_after_the_other() -> None:
    hand = Hand()
    listener = HttpListener("scans", HttpSource(token="hush", max_bytes=8 * MB, max_held=4 * MB))
    await listener.start(hand.accept)
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer hush"}) as session:
        url = f"http://127.0.0.1:{listener.port}/"

        async def post(size: int) -> int:
            async with session.post(url, data=io.BytesIO(_scan(size))) as response:
                return response.status

        posts = [asyncio.create_task(post(6 * MB)) for _ in range(3)]
        await _until(hand, 1)
        posts.append(asyncio.create_task(post(10)))
        await _until(hand, 2)
        assert sorted(hand.taken) == [len(_scan(10)), len(_scan(6 * MB))]
        hand.answer()
        for expected in (3, 4):
            await _until(hand, expected)
            assert len(hand.taken) == expected
            hand.answer()
        assert [await one for one in posts] == [202] * 4
        assert await post(9 * MB) == 413
    await listener.stop()


@pytest.mark.parametrize("piece", [1 << 16, 1 << 20, 5 << 20])
def test_a_large_frame_is_whole_whatever_the_pieces(piece: int) -> None:
    body = _scan(3 * MB)
    sent = frame(body) + frame(body[:-1]) + frame(_scan(0))
    decoder = Decoder(4 * MB)
    found = [event for at in range(0, len(sent), piece) for event in decoder.feed(sent[at : at + piece])]
    assert found == [Frame(body), Frame(body[:-1]), Frame(_scan(0))]
    assert decoder.pending == 0
    small = Decoder(2 * MB)
    events = [event for at in range(0, len(sent), piece) for event in small.feed(sent[at : at + piece])]
    assert [type(event) for event in events] == [Noise, Noise, Frame]
    assert [event.size for event in events if isinstance(event, Noise)] == [len(body), len(body) - 1]
    assert all(body.startswith(event.data) and len(event.data) == 1 << 16 for event in events if isinstance(event, Noise))
