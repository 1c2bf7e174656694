"""Link: one connection to a receiver. Bytes out, frames in; knows when it is dead."""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections import deque
from collections.abc import Callable

from isthmus.connectors.mllp.keepalive import keep_alive
from isthmus.formats.hl7v2.mllp import Decoder, Frame, Noise

Heard = Frame | Noise


class Link(asyncio.Protocol):
    """Carries one message at a time. What comes in while nobody listens goes to ``stray``."""

    def __init__(self, limit: int, keepalive: int, stray: Callable[[Heard], None]) -> None:
        self._keepalive = keepalive
        self._decoder = Decoder(limit)
        self._stray = stray
        self._transport: asyncio.Transport | None = None
        self._heard: deque[Heard] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._busy = False
        self.lost = False
        """The connection is gone."""

    # ---- the protocol ------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # TCP and TLS transports are Transports
        keep_alive(transport, self._keepalive)

    def data_received(self, data: bytes) -> None:
        self._hear(self._decoder.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._hear(self._decoder.close())
        self.lost = True
        self._wake()

    def _hear(self, events: list[Heard]) -> None:
        for event in events:
            if self._busy:
                self._heard.append(event)
            else:
                self._stray(event)
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # ---- for the client ----------------------------------------------------------------------------------------------------------

    async def is_fresh(self) -> bool:
        """Whether it still stands, as far as we can know: what the peer has already said (its end, too) is read first."""
        for _ in range(8):
            if self._is_gone():
                return False
            if not self._readable():
                return True
            await asyncio.sleep(0)
        return not self._is_gone()

    def begin(self, data: bytes) -> bool:
        """Send; False when it is gone, and nothing was sent."""
        if self._transport is None or self._is_gone():
            return False
        self._busy = True
        self._transport.write(data)
        return True

    async def hear(self) -> Heard | None:
        """The next frame or noise; None when the connection is lost."""
        while not self._heard:
            if self.lost:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._heard.popleft()

    def end(self) -> None:
        """The exchange is over; whatever comes now is stray."""
        self._busy = False
        while self._heard:
            self._stray(self._heard.popleft())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """At once, without sending what is still buffered."""
        if self._transport is not None:
            self._transport.abort()

    def _is_gone(self) -> bool:
        return self.lost or self._transport is None or self._transport.is_closing()

    def _fileno(self) -> int:
        assert self._transport is not None  # noqa: S101 (asked only once it is connected)
        found: int = self._transport.get_extra_info("socket").fileno()
        return found

    def _readable(self) -> bool:
        poll = select.poll()
        with contextlib.suppress(OSError, ValueError):
            poll.register(self._fileno(), select.POLLIN)
            return bool(poll.poll(0))
        return False
