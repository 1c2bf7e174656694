"""NatsConsumer: takes messages from a stream in its order, and acknowledges what the journal holds.

At most ``window`` messages are here unacknowledged; the rest stays in the stream. They are asked for in batches, so nothing comes that
there is no room for. A message whose acknowledgement is lost, because the connection or we went down, comes again and is recognised by
the journal. One that the receiver refused is in the journal with its reason and is not sent again (``+TERM``).

Messages with the same ordering key (its header, else the subject) are handed over one after the other; others side by side. Each
message carries its number at the consumer; where one is missing, or the connection ends, all that was not handed over is dropped and
asked for anew from the first that is not acknowledged.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import suppress

import msgspec
from nats.aio.msg import Msg

from isthmus.connectors.handover import Handover
from isthmus.connectors.nats.cursor import Cursor
from isthmus.connectors.nats.jetstream import NANO, NO_CONSUMER, JetStream, Refused, numbers_of
from isthmus.connectors.nats.link import Link, Lost, connect
from isthmus.connectors.nats.settings import NatsSource
from isthmus.connectors.port import Accept
from isthmus.core.failure import Transient

FIRST, LONGEST = 0.5, 10.0
"""Seconds between two tries to connect: they double from the first to the longest."""
PATIENCE = 30.0
"""Seconds for which one request for messages stands at the server."""
SIGN = 2.0
"""Seconds between two signs of life of a request; without any for twice as long, it is lost."""
AGAIN = 0.25
"""Seconds until a request is repeated that was turned down, as while a leader is elected."""
STAND_BY = 5.0
"""Seconds between two looks whether whoever took over from us is still there."""

_TAKEN, _REFUSED, _WORKING = b"+ACK", b"+TERM refused", b"+WPI"
_HEARTBEAT, _TIME_IS_OVER, _NO_RESPONDERS, _GONE = "100", "408", "503", "Consumer Deleted"
_ORDERING_KEY = "Isthmus-Ordering-Key"


class NatsConsumer:
    """One source."""

    exclusive = True
    """One node of a site listens: two would each get a part of the messages, and the order would be lost."""

    def __init__(self, name: str, settings: NatsSource) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._where = f"sources.{name}"
        self._handover: Handover[str] = Handover(name, f"nats/{settings.stream}", self.counts, self._durable, self._refused)
        """A message is settled by the subject of its acknowledgement."""
        self._cursor = Cursor(settings, self._where)
        self._node = secrets.token_hex(8)
        self._keeping: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._jetstream: JetStream | None = None
        self._consumer = ""
        self._inbox = ""
        self._given = 0
        """Messages that the consumer has given us; their numbers have no gap."""
        self._asked = 0
        """Messages that were asked for and have not come."""
        self._heard = 0.0
        self._broken = asyncio.Event()
        """This turn is over: connection lost, a message missing, or another node took over."""
        self._robbed = self._nobody = False
        """Another node took over; nobody answered our request."""
        self._words: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        """What the stream is still to be told: where, and what."""
        self._room = asyncio.Event()
        self._paused = self._stopping = False

    async def start(self, accept: Accept) -> None:
        """Raises ``Rejected`` where the configuration is wrong; servers that are away are tried again and again."""
        self._stopping = False
        self._handover.start(accept)
        with suppress(Transient):
            await self._begin()
        self._keeping = asyncio.create_task(self._keep(), name=f"consume {self.name}")

    def pause(self) -> None:
        self._paused = True
        self._handover.pause()

    def resume(self) -> None:
        self._paused = False
        self._handover.resume()
        self._room.set()

    async def stop(self) -> None:
        self._stopping = True
        await self._handover.stop()
        if self._link is not None:
            await self._tell_all(self._link)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        await self._end()

    # ---- turns -----------------------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Our turn at all times, as far as the servers and other nodes let us."""
        wait = FIRST
        while True:
            try:
                if self._link is None:
                    await self._begin()
                wait = FIRST
                await self._serve()
            except Transient as failure:
                self.counts[failure.code] += 1
                await self._end()
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST)
            if self._robbed:
                await self._stand_by()
            await self._end()

    async def _begin(self) -> None:
        settings = self._settings
        link = await connect(settings, self._where, f"isthmus {self.name}", settings.connect_timeout)
        try:
            jetstream = JetStream(link, settings.domain, self._where, settings.connect_timeout)
            turn = await self._cursor.take(jetstream, self._node)
            self._broken.clear()
            self._robbed, self._given, self._asked = False, 0, 0
            self._jetstream, self._consumer = jetstream, turn.consumer
            self._words = asyncio.Queue()
            self._inbox = await link.hear(self._receive)
        except BaseException:
            await link.close()
            raise
        if turn.removed:
            self.counts["removed-unread"] += turn.removed
        self._link = link

    async def _end(self) -> None:
        """What is on its way stays so; its answer will find no consumer any more, and it comes again and is recognised."""
        link, self._link = self._link, None
        self._handover.begin_anew()
        if link is not None:
            await link.close()

    async def _stand_by(self) -> None:
        """Another node took over: wait until nobody asks for messages any more."""
        self.counts["taken-over"] += 1
        await self._end()
        settings = self._settings
        while True:
            await asyncio.sleep(STAND_BY)
            with suppress(Transient, Refused):
                link = await connect(settings, self._where, f"isthmus {self.name} waiting", settings.connect_timeout)
                try:
                    if not await self._cursor.somebody_listens(JetStream(link, settings.domain, self._where, settings.connect_timeout)):
                        return
                finally:
                    await link.close()

    async def _serve(self) -> None:
        """One turn: ask for messages and acknowledge them, until something breaks."""
        link, jetstream = self._link, self._jetstream
        if link is None or jetstream is None:
            return
        loops = [
            asyncio.create_task(one, name=f"{what} {self.name}")
            for what, one in (
                ("ask", self._ask(link, jetstream)),
                ("acknowledge", self._acknowledge(link)),
                ("hold", self._hold(link)),
                ("watch", link.lost.wait()),
                ("watch", self._broken.wait()),
            )
        ]
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            if link.lost.is_set():
                self.counts["connection-lost"] += 1
        finally:
            for one in loops:
                one.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _ask(self, link: Link, jetstream: JetStream) -> None:
        """Keep a request for messages standing whenever there is room for a good part of the window."""
        loop = asyncio.get_running_loop()
        subject = jetstream.next_subject(self._settings.stream, self._consumer)
        with suppress(Lost):
            while True:
                self._room.clear()
                if self._nobody:
                    await self._is_it_gone(jetstream)
                room = self._settings.window - self._handover.here
                if self._asked and loop.time() - self._heard > 2 * SIGN:
                    self._asked = 0  # the request is lost, as when the consumer's leader went down
                if not self._asked and not self._paused and not self._stopping and (2 * room >= self._settings.window):
                    self._asked, self._heard = room, loop.time()
                    question = {"batch": room, "expires": int(PATIENCE * NANO), "idle_heartbeat": int(SIGN * NANO)}
                    await link.tell(subject, msgspec.json.encode(question), self._inbox)
                with suppress(TimeoutError):
                    async with asyncio.timeout(SIGN):
                        await self._room.wait()

    async def _is_it_gone(self, jetstream: JetStream) -> None:
        """Nobody answered: either the consumer has no leader for the moment, or another node has replaced it by its own."""
        self._nobody = False
        try:
            await jetstream.consumer(self._settings.stream, self._consumer)
        except Refused as no:
            if no.err_code == NO_CONSUMER:
                self._robbed = True
            self._broken.set()
        except Transient:
            self._nobody = True

    async def _acknowledge(self, link: Link) -> None:
        with suppress(Lost):
            while True:
                reply, word = await self._words.get()
                await link.tell(reply, word)

    async def _tell_all(self, link: Link) -> None:
        """The last acknowledgements of a turn that ends in peace."""
        with suppress(Lost):
            while not self._words.empty():
                reply, word = self._words.get_nowait()
                await link.tell(reply, word)

    async def _hold(self, link: Link) -> None:
        """Tell the stream of each message that waits here that it is not lost."""
        with suppress(Lost):
            while True:
                await asyncio.sleep(self._settings.ack_wait / 3)
                for reply in list(self._handover):
                    await link.tell(reply, _WORKING)

    # ---- messages --------------------------------------------------------------------------------------------------------------------

    async def _receive(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        headers = message.headers or {}
        if not message.reply.startswith("$JS.ACK."):
            self._hear_of(headers.get("Status", ""), headers)
            return
        numbers = numbers_of(message.reply)
        if self._broken.is_set():
            return
        if numbers.consumer != self._given + 1:
            self._miss()
            return
        self._given += 1
        self._asked = max(0, self._asked - 1)
        key = headers.get(_ORDERING_KEY) or message.subject
        self._handover.take(key, message.data, message.reply, numbers.stream)
        if not self._asked:
            self._room.set()

    def _hear_of(self, status: str, headers: dict[str, str]) -> None:
        """A word of the server about our request."""
        if status == _HEARTBEAT:
            given = headers.get("Nats-Last-Consumer", "")
            if given.isdigit() and int(given) > self._given:
                self._miss()
            return
        if headers.get("Description", "") == _GONE:
            self._robbed = True
            self._broken.set()
            return
        self._asked = 0  # its time is over, or the consumer's leader has changed: ask anew
        self._nobody = status == _NO_RESPONDERS
        asyncio.get_running_loop().call_later(0.0 if status == _TIME_IS_OVER else AGAIN, self._room.set)

    def _miss(self) -> None:
        """The consumer gave us something that has not come: it would come late, behind what is newer."""
        if not self._broken.is_set():
            self.counts["gap"] += 1
            self._broken.set()
            self._handover.begin_anew()

    def _durable(self, reply: str) -> None:
        self._words.put_nowait((reply, _TAKEN))
        self._room.set()

    def _refused(self, reply: str) -> None:
        """It is in the journal with its reason: it need not come again."""
        self._words.put_nowait((reply, _REFUSED))
        self._room.set()
