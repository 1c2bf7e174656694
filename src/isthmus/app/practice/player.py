"""Player: speaks utterances over real MLLP connections, as senders do: one message in flight each, sent again until answered."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from random import Random
from zlib import crc32

from isthmus.app.practice.speech import Utterance

_START, _END = b"\x0b", b"\x1c\r"
_LINE_END = re.compile(rb"[\r\n]")
_AGAIN = 1.0
"""Seconds until a sender that was told to wait, or lost its connection, tries again."""


class Played(Counter[str]):
    """What the senders saw: ``sent``, ``taken`` (AA, CA), ``invalid`` (AE, CE), ``refused`` (AR, CR), ``busy``, ``resent``,
    ``unasked`` (the message itself wants no answer: MSH-15 and MSH-16) and ``unanswered``.
    """


class Player:
    """Plays over ``connections`` connections; utterances about the same patient use the same one and keep their order."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connections: int = 8,
        rate: float = 0.0,
        dropped: float = 0.0,
        timeout: float = 30.0,
        give_up_after: float = 600.0,
        rng: Random | None = None,
        notice: Callable[[Utterance, str], None] | None = None,
        stumble: Callable[[Exception], None] | None = None,
    ) -> None:
        """``rate``: messages a second over all connections, 0 for as fast as they are answered. ``dropped``: share of messages
        after whose last byte the connection breaks. ``timeout``: seconds to wait for one answer; ``give_up_after``: for any answer to
        one message, over all its tries. ``notice`` hears of every message how it was answered, ``stumble`` why a try had no answer.
        """
        self.played = Played()
        self._address = (host, port)
        self._rate = rate
        self._dropped = dropped
        self._timeout = min(timeout, give_up_after)
        self._give_up_after = give_up_after
        self._rng = rng or Random(0)
        self._notice = notice
        self._stumble = stumble
        self._queues: list[asyncio.Queue[Utterance | None]] = [asyncio.Queue(maxsize=64) for _ in range(connections)]

    async def play(self, utterances: AsyncIterator[Utterance]) -> Played:
        """Play to the end of the stream; returns when every message has been answered or given up."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            for queue in self._queues:
                tasks.create_task(self._speak(queue))
            started = loop.time()
            async for number, utterance in _numbered(utterances):
                if self._rate and (ahead := started + number / self._rate - loop.time()) > 0:
                    await asyncio.sleep(ahead)
                await self._queues[crc32(utterance.about.encode()) % len(self._queues)].put(utterance)
            for queue in self._queues:
                await queue.put(None)
        return self.played

    async def _speak(self, queue: asyncio.Queue[Utterance | None]) -> None:
        line = _Line(*self._address)
        while (utterance := await queue.get()) is not None:
            self.played["sent"] += 1
            heard = await self._until_answered(line, utterance)
            self.played[heard] += 1
            if self._notice:
                self._notice(utterance, heard)
        await line.close()

    async def _until_answered(self, line: _Line, utterance: Utterance) -> str:
        clock, asks = asyncio.get_running_loop().time, _asks(utterance.body)
        until, attempt = clock() + (0 if line.dead else self._give_up_after), -1
        while (attempt := attempt + 1) == 0 or clock() < until:
            if attempt:
                self.played["resent"] += 1
            try:
                async with asyncio.timeout(self._timeout):
                    await line.send(utterance.body)
                    if attempt == 0 and self._rng.random() < self._dropped:
                        await line.close()
                        continue
                    heard = _verdict(await line.answer()) if asks else "unasked"
            except (OSError, EOFError, TimeoutError) as error:
                if self._stumble:
                    self._stumble(error)
                await line.close()
                await asyncio.sleep(min(_AGAIN, until - clock()))
                continue
            if heard != "busy":
                line.dead = False
                return heard
            self.played["busy"] += 1
            await asyncio.sleep(_AGAIN)
        line.dead = True
        return "unanswered"


class _Line:
    """One connection, made when it is needed."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.dead = False
        """The last message was given up: the next ones get one try each, until one is answered."""

    async def send(self, body: bytes) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=1 << 20)
        writer = self._streams[1]
        writer.write(_START + body + _END)
        await writer.drain()

    async def answer(self) -> bytes:
        if self._streams is None:
            raise EOFError
        return await self._streams[0].readuntil(_END)

    async def close(self) -> None:
        if self._streams is not None:
            streams, self._streams = self._streams, None
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()


def _asks(body: bytes) -> bool:
    """Whether a message wants to be answered: never is NE in both MSH-15 and MSH-16, or in one where the other is empty (table 0155)."""
    header = _LINE_END.split(body, 1)[0].split(b"|")
    conditions = {one.strip() for one in header[14:16]} - {b""}
    return conditions != {b"NE"}


def _verdict(answer: bytes) -> str:
    segments = answer.strip(_START + _END).split(b"\r")
    msa = next((one for one in segments if one.startswith(b"MSA")), b"MSA|")
    match msa.split(b"|")[1].strip():
        case b"AA" | b"CA":
            return "taken"
        case b"AE" | b"CE":
            return "invalid"
        case b"AR" | b"CR":
            # HL70357 207, application internal error: the receiver asks to be spared for a while.
            return "busy" if any(one.startswith(b"ERR") and b"207" in one for one in segments) else "refused"
        case _:
            return "unanswered"


async def _numbered(utterances: AsyncIterator[Utterance]) -> AsyncIterator[tuple[int, Utterance]]:
    number = 0
    async for utterance in utterances:
        yield number, utterance
        number += 1
