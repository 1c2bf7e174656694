"""Load: speaks to a node as real senders do, and writes down by id what was answered.

Each connection has one message in the air and says it again until it is answered; messages about the same keep their order. What is
in the ledger as taken was acknowledged: it must be found again, whatever happens to the node.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from zlib import crc32

from msgspec import Struct

from isthmus.app.drill.messages import Saying
from isthmus.app.drill.speakers import Broken, Speaker

AGAIN = 0.04
"""Seconds until a sender that found nobody, or was told to wait, tries again: impatient, so that a drill is short."""
AHEAD = 4
"""Messages that wait for their connection; what is not begun yet is not counted as said."""


class Said(Struct, kw_only=True):
    """One line of the ledger."""

    saying: Saying
    number: int
    """In which order they were said; counts over all senders."""
    tries: int = 0
    answer: str = ""
    """``taken``, ``invalid``, ``refused``; empty while nobody has answered."""
    first: float = 0.0
    answered: float = 0.0


class Manners(Struct, kw_only=True):
    """How senders misbehave: shares between 0 and 1 of what they say."""

    repeats: float = 0.0
    """Once it is answered, they say it again, byte for byte."""
    breaks_off: float = 0.0
    """First they send a part of it, and hang up."""
    deaf: float = 0.0
    """They hang up once it is sent, hear no answer, and say it again."""


class Load:
    """``play`` until ``stop``; ``ledger`` has a line for each message, in the order in which they were said."""

    def __init__(self, speakers: Mapping[str, list[Speaker]], stream: Iterator[Saying], *, rate: float, rng: Random) -> None:
        """``speakers``: connections by source. ``rate``: messages a second over all of them."""
        self.ledger: list[Said] = []
        self.manners = Manners()
        self.struck: Counter[str] = Counter()
        """How often senders misbehaved, and how often they were told to wait (``busy``) or heard nothing (``unheard``)."""
        self.taken = 0
        self.in_the_air = 0
        """Messages that are sent and not answered."""
        self.mistaken: list[str] = []
        """Answers that name another message, by control id: a fault of ours."""
        self._speakers = speakers
        self._stream = stream
        self._rate = rate
        self._rng = rng
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Say nothing new; what is begun is said until it is answered."""
        self._stopped.set()

    async def play(self) -> None:
        queues: dict[str, list[asyncio.Queue[Said | None]]] = {
            source: [asyncio.Queue(AHEAD) for _ in speakers] for source, speakers in self._speakers.items()
        }
        try:
            async with asyncio.TaskGroup() as tasks:
                for source, speakers in self._speakers.items():
                    for speaker, queue in zip(speakers, queues[source], strict=True):
                        tasks.create_task(self._speak(speaker, queue))
                await self._hand_out(queues)
                for one in queues.values():
                    for queue in one:
                        await queue.put(None)
        finally:
            for speakers in self._speakers.values():
                for speaker in speakers:
                    await speaker.hang_up()

    async def more(self, taken: int, timeout: float) -> None:
        """Until so many more messages have been taken; raises ``TimeoutError``."""
        goal = self.taken + taken
        async with asyncio.timeout(timeout):
            while self.taken < goal:  # noqa: ASYNC110 - many wait for other numbers
                await asyncio.sleep(0.005)

    async def _hand_out(self, queues: Mapping[str, list[asyncio.Queue[Said | None]]]) -> None:
        due = time.monotonic()
        for saying in self._stream:
            due = max(due + 1 / self._rate, time.monotonic() - 0.5)
            if (ahead := due - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            if self._stopped.is_set():
                return
            mine = queues[saying.source]
            place = mine[crc32(saying.about.encode()) % len(mine)]
            while place.full():
                if self._stopped.is_set():
                    return
                await asyncio.sleep(0.005)
            place.put_nowait(Said(saying=saying, number=0))

    async def _speak(self, speaker: Speaker, queue: asyncio.Queue[Said | None]) -> None:
        while (said := await queue.get()) is not None:
            said.number, said.first = len(self.ledger) + 1, time.monotonic()
            self.ledger.append(said)
            said.answer = await self._until_answered(speaker, said)
            said.answered = time.monotonic()
            self.taken += said.answer == "taken"
            if self._drawn(self.manners.repeats):
                self.struck["repeated"] += 1
                await self._until_answered(speaker, said)

    async def _until_answered(self, speaker: Speaker, said: Said) -> str:
        while True:
            said.tries += 1
            first = said.tries == 1
            try:
                if first and self._drawn(self.manners.breaks_off):
                    await speaker.break_off(said.saying.body, self._rng)
                    self.struck["broken off"] += 1
                    continue
                if first and self._drawn(self.manners.deaf):
                    await speaker.say_and_leave(said.saying.body)
                    self.struck["deaf"] += 1
                    continue
                self.in_the_air += 1
                try:
                    answer = await speaker.ask(said.saying.body, said.saying.control_id)
                finally:
                    self.in_the_air -= 1
            except Broken:
                self.struck["unheard"] += 1
                await asyncio.sleep(AGAIN * self._rng.uniform(0.5, 1.5))
                continue
            if answer == "mistaken":
                self.mistaken.append(said.saying.control_id)
                continue
            if answer != "busy":
                return answer
            self.struck["busy"] += 1
            await asyncio.sleep(2 * AGAIN)

    def _drawn(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share
