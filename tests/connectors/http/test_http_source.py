"""The HTTP listener on a real socket, with a receiver in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import msgspec
import pytest

from isthmus.connectors.http import HttpSource
from isthmus.connectors.http.source import HttpListener
from isthmus.connectors.port import Reply, Said
from isthmus.connectors.tls import Tls, client_context
from isthmus.core import Rejected
from isthmus.formats.hl7v2 import acknowledge
from isthmus.formats.jsondoc import Json

HL7 = b"MSH|^~\\&|EHR|HOSP|||20260101||ADT^A01|C1|P|2.5.1\rPID|||1\r"
BEARER = "Bearer hush"
JSON = b'{"id":"1","kind":"supply-use"}'
Listen = Callable[..., Awaitable[HttpListener]]


class Hand:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.replies: list[Reply] = []
        self.answer: tuple[bytes | None, Said] | None = (b"ack", "taken")

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        assert (source, peer) == ("supply", "127.0.0.1")
        self.taken.append(body)
        if self.answer is None:
            self.replies.append(reply)
        else:
            reply(*self.answer)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def listen(hand: Hand) -> AsyncIterator[Listen]:
    made: list[HttpListener] = []

    async def build(**settings: object) -> HttpListener:
        listener = HttpListener("supply", HttpSource(**{"token": "hush"} | settings))  # type: ignore[arg-type]
        await listener.start(hand.accept)
        made.append(listener)
        return listener

    yield build
    for listener in made:
        for reply in hand.replies:
            reply(b"", "taken")
        await listener.stop()


class Answered(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, object]:
        assert self.headers["Content-Type"] == "application/problem+json"
        found: dict[str, object] = msgspec.json.decode(self.body)
        assert found["status"] == self.status
        return found


async def post(listener: HttpListener, body: bytes, *, token: str = BEARER, path: str = "/", tls: Tls | None = None) -> Answered:
    context = client_context(tls, "test") if tls else None
    url = f"http{'s' if tls else ''}://127.0.0.1:{listener.port}{path}"
    headers = {"Authorization": token} if token else {}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers, ssl=context or True) as response:
        return Answered(response.status, dict(response.headers), await response.read())


async def test_202_with_the_acknowledgement_once_it_is_durable(listen: Listen, hand: Hand) -> None:
    hand.answer = None
    listener = await listen()
    asking = asyncio.create_task(post(listener, HL7))
    while not hand.replies:
        await asyncio.sleep(0.002)
    assert not asking.done()
    hand.replies[0](acknowledge(HL7, "accepted", (), reply_id="R", at="20260101"), "taken")
    answered = await asking
    assert (answered.status, answered.headers["Content-Type"]) == (202, "x-application/hl7-v2+er7")
    assert b"MSA|AA|C1" in answered.body
    assert hand.taken == [HL7]


async def test_answers_in_json_and_none_at_all(listen: Listen, hand: Hand) -> None:
    listener = await listen()
    hand.answer = (Json().acknowledge(JSON, "accepted", (), reply_id="R", at="20260101"), "taken")
    answered = await post(listener, JSON)
    assert (answered.status, answered.headers["Content-Type"]) == (202, "application/json")
    hand.answer = (None, "taken")
    assert (await post(listener, JSON)).status == 202


async def test_a_refusal_is_422_with_what_is_wrong(listen: Listen, hand: Hand) -> None:
    listener = await listen()
    hand.answer = (acknowledge(HL7, "invalid", (), reply_id="R", at="20260101"), "refused")
    answered = await post(listener, HL7)
    assert answered.status == 422
    assert b"MSA|AE|C1" in answered.body
    hand.answer = (Json().acknowledge(JSON, "invalid", (), reply_id="R", at="20260101"), "refused")
    problem = (await post(listener, JSON)).problem
    assert isinstance(problem["acknowledgement"], dict)
    assert problem["acknowledgement"]["status"] == "invalid"
    hand.answer = (None, "refused")
    assert (await post(listener, JSON)).problem["title"] == "Unprocessable Entity"
    assert listener.counts["refused"] == 3


async def test_a_full_backlog_is_503_with_retry_after(listen: Listen, hand: Hand) -> None:
    listener = await listen(retry_after=9)
    for answer in (
        acknowledge(HL7, "busy", (), reply_id="R", at="20260101"),
        Json().acknowledge(JSON, "busy", (), reply_id="R", at="20260101"),
    ):
        hand.answer = (answer, "busy")
        answered = await post(listener, HL7)
        assert (answered.status, answered.headers["Retry-After"]) == (503, "9")
    listener.pause()
    taken = len(hand.taken)
    assert (await post(listener, HL7)).status == 503
    assert len(hand.taken) == taken
    listener.resume()
    hand.answer = (b"ack", "taken")
    assert (await post(listener, HL7)).status == 202


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic hush", "hush", "Bearer hush2", "Bearer hüsh"])
async def test_who_has_no_token_gets_nothing(token: str, listen: Listen, hand: Hand) -> None:
    answered = await post(await listen(), HL7, token=token)
    assert answered.status == 401
    assert answered.headers["WWW-Authenticate"] == "Bearer"
    assert hand.taken == []


async def test_what_is_no_message_is_not_handed_over(listen: Listen, hand: Hand) -> None:
    listener = await listen(max_bytes=1_000, content="hl7")
    assert (await post(listener, b"")).status == 400
    assert (await post(listener, HL7 + b"x" * 1_000)).problem["detail"] == "a message here has at most 1000 bytes"
    assert (await post(listener, JSON)).status == 415
    assert (await post(listener, HL7, path="/other")).status == 404
    assert hand.taken == []
    assert listener.counts == {"empty": 1, "too-large": 1, "content": 1}


async def test_stop_answers_what_was_handed_over(listen: Listen, hand: Hand) -> None:
    hand.answer = None
    listener = await listen()
    asking = asyncio.create_task(post(listener, HL7))
    while not hand.replies:
        await asyncio.sleep(0.002)
    stopping = asyncio.create_task(listener.stop())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    hand.replies[0](b"late", True)
    assert (await asking).body == b"late"
    await asyncio.wait_for(stopping, 5)


async def test_mutual_tls(listen: Listen, ours: Tls, theirs: Tls, strange: Tls) -> None:
    listener = await listen(tls=theirs)
    assert (await post(listener, HL7, tls=ours)).status == 202
    with pytest.raises(aiohttp.ClientError):
        await post(listener, HL7, tls=Tls(ca=ours.ca, certificate=strange.certificate, key=strange.key))


async def test_a_port_that_is_taken_is_told(listen: Listen) -> None:
    taken = await listen()
    with pytest.raises(Rejected, match=r"sources\.supply cannot listen"):
        await listen(port=taken.port)
