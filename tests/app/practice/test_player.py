"""The player behaves as a sender does: in order per patient, one in flight, again until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import islice
from typing import Self

import pytest

from isthmus.app.practice import player as player_module
from isthmus.app.practice.day import day
from isthmus.app.practice.player import Player
from isthmus.app.practice.speech import Utterance

SAID = [one for one in islice(day("one", datetime(2026, 3, 2, 8, tzinfo=UTC)), 400) if one.system != "supply"]


async def stream() -> AsyncIterator[Utterance]:
    for one in SAID:
        yield one


class Receiver:
    """A listener that answers what it is told, by control id and turn."""

    def __init__(self, answer: dict[int, bytes | None] | None = None) -> None:
        self.heard: list[bytes] = []
        self.most = 0
        self._open = 0
        self._answer = answer or {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self.most = max(self.most, self._open)
        try:
            while True:
                body = (await reader.readuntil(b"\x1c\r"))[1:-2]
                self.heard.append(body)
                answer = self._answer.get(len(self.heard), b"MSA|AA|x")
                if answer is None:
                    break
                writer.write(b"\x0bMSH|^~\\&|\r" + answer + b"\r\x1c\r")
        except asyncio.IncompleteReadError:
            pass
        finally:
            self._open -= 1
            writer.close()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player_module, "_AGAIN", 0.01)


async def test_all_are_sent_in_order_per_patient() -> None:
    async with Receiver() as receiver:
        played = await Player("127.0.0.1", receiver.port, connections=4).play(stream())
    assert played == {"sent": len(SAID), "taken": len(SAID)}
    assert receiver.most == 4
    for about in {one.about for one in SAID}:
        mine = [one.body for one in SAID if one.about == about]
        assert [body for body in receiver.heard if body in mine] == mine


async def test_lost_connections_and_busy_receivers_are_tried_again_with_the_same_bytes() -> None:
    answers: dict[int, bytes | None] = {
        5: None,
        9: b"MSA|AR|x\rERR|||207^busy^HL70357|E",
        12: b"MSA|AE|x",
        14: b"MSA|AR|x\rERR|||200^type^HL70357|E",
    }
    async with Receiver(answers) as receiver:
        played = await Player("127.0.0.1", receiver.port, connections=1).play(stream())
    assert played == {"sent": len(SAID), "taken": len(SAID) - 2, "invalid": 1, "refused": 1, "busy": 1, "resent": 2}
    assert receiver.heard[4] == receiver.heard[5]
    assert receiver.heard[8] == receiver.heard[9]


async def test_dropped_connections_make_real_duplicates() -> None:
    async with Receiver() as receiver:
        played = await Player("127.0.0.1", receiver.port, connections=2, dropped=0.2).play(stream())
    assert played["taken"] == len(SAID)
    assert played["resent"] > 20
    assert set(receiver.heard) == {one.body for one in SAID}


async def test_the_rate_is_kept() -> None:
    async with Receiver() as receiver:
        loop = asyncio.get_running_loop()
        started = loop.time()

        async def some() -> AsyncIterator[Utterance]:
            for one in SAID[:50]:
                yield one

        await Player("127.0.0.1", receiver.port, rate=200).play(some())
        assert loop.time() - started >= 49 / 200


async def test_a_message_that_wants_no_answer_is_not_waited_for() -> None:
    header = SAID[0].body.split(b"\r")[0].split(b"|")
    header[14:16] = [b"NE", b"NE"]
    silent = Utterance(at=SAID[0].at, system="ehr", about="x", kind="silent", body=b"|".join(header) + b"\r")

    async def some() -> AsyncIterator[Utterance]:
        yield silent
        yield SAID[0]

    async with Receiver({1: b""}) as receiver:
        played = await Player("127.0.0.1", receiver.port, connections=1, timeout=5, give_up_after=5).play(some())
    assert (played["unasked"], played["resent"]) == (1, 0)


async def test_a_listener_that_is_not_there_is_given_up_once_and_not_for_every_message() -> None:
    async with Receiver() as receiver:
        port = receiver.port
    stumbled: list[Exception] = []
    played = await Player("127.0.0.1", port, connections=2, give_up_after=0.05, stumble=stumbled.append).play(stream())
    assert played["unanswered"] == len(SAID)
    assert {type(one) for one in stumbled} == {ConnectionRefusedError}
    assert played["resent"] < 20


async def test_what_is_given_up_is_not_waited_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player_module, "_AGAIN", 60.0)
    async with Receiver() as receiver:
        port = receiver.port
    async with asyncio.timeout(10):
        played = await Player("127.0.0.1", port, connections=2, give_up_after=0.2).play(stream())
    assert played["unanswered"] == len(SAID)
