"""Inlet: one sender's connection. Frames in, each handed over at once; answers out, in the order of the frames."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from isthmus.connectors.allowance import SMALL, Allowance
from isthmus.connectors.mllp.keepalive import keep_alive
from isthmus.connectors.mllp.settings import MllpSource
from isthmus.connectors.port import Accept, Said
from isthmus.core.contract import Violation
from isthmus.core.ids import derive_id
from isthmus.formats.hl7v2 import acknowledge
from isthmus.formats.hl7v2.mllp import Decoder, Frame, Noise, frame

_ENDLESS = 4
"""Times the largest message after which a frame that still has not ended is cut off."""
_LINGER = 2.0
"""Seconds for which we read on after the last answer to a message that was too large."""


class Shared(Struct, frozen=True, kw_only=True):
    """What all connections of one listener have in common."""

    source: str
    accept: Accept
    settings: MllpSource
    allowance: Allowance
    counts: Counter[str]
    now: Callable[[], datetime]
    is_paused: Callable[[], bool]
    joined: Callable[[Inlet], bool]
    left: Callable[[Inlet], None]


class _Slot:
    """The place of one answer in the queue of its connection. Called by the receiver, once."""

    __slots__ = ("answer", "done", "inlet", "size")

    def __init__(self, inlet: Inlet, size: int = 0) -> None:
        self.inlet = inlet
        self.size = size
        """Bytes of the message, where it is counted as large."""
        self.answer: bytes | None = None
        self.done = False

    def __call__(self, answer: bytes | None, said: Said) -> None:
        del said  # the acknowledgement says so itself
        self.answer = answer
        self.done = True
        if self.size:
            self.inlet.release(self.size)
        self.inlet.flush()


class Inlet(asyncio.Protocol):
    """Reads until the source is paused, too many messages wait for their answer, or the sender does not read its answers."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._decoder = Decoder(shared.settings.max_bytes)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._slots: deque[_Slot] = deque()
        self._peer = ""
        self._heard_at = 0.0
        self._reading = True
        self._large = False
        """In the middle of a large message."""
        self._slow = False
        """The sender does not read its answers."""
        self._ending = False
        """Nothing more is taken; what was taken is answered, then the connection is closed."""
        self._discarding = False
        """Reads on and throws away: closed while bytes are unread, TCP would take the last answer back with a reset."""

    # ---- the protocol ------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # TCP and TLS transports are Transports
        self._heard_at = self._loop.time()
        if not self._shared.joined(self):
            self._shared.counts["too-many-connections"] += 1
            self._transport = None
            transport.abort()  # type: ignore[attr-defined]  # as above
            return
        keep_alive(transport, self._shared.settings.keepalive)
        host, port, *_ = transport.get_extra_info("peername") or ("", 0)
        self._peer = f"{host}:{port}"
        self._loop.call_soon(self.regulate)  # neither uvloop nor asyncio before 3.12 can be paused from within connection_made

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        shared = self._shared
        if self._transport is None or self._ending:
            shared.counts["not-taken"] += 1  # and not answered: the sender has to send it again
            return
        for event in self._decoder.feed(data):
            if isinstance(event, Frame):
                if event.flaw:
                    shared.counts[event.flaw] += 1
                size = len(event.body)
                slot = _Slot(self, size if size > SMALL else 0)
                if size > SMALL:
                    shared.allowance.keep(size)
                self._slots.append(slot)
                shared.accept(shared.source, event.body, self._peer, slot)
            elif self._noise(event):
                break
        pending = self._decoder.pending
        if not self._ending and pending > _ENDLESS * shared.settings.max_bytes:
            shared.counts["endless"] += 1
            self._transport.abort()
        if pending > SMALL or self._large:
            self._large = pending > SMALL
            shared.allowance.pending(self, pending if pending <= shared.settings.max_bytes else 0)  # beyond, it is only counted
        self.regulate()

    def eof_received(self) -> bool:
        """A sender that has said all it has to say may still wait for its answers: half-closed, not gone."""
        self._ending = True
        self._discarding = False
        self.flush()
        return self._transport is not None and self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        for event in self._decoder.close():
            if isinstance(event, Noise):
                self._shared.counts[event.reason] += 1
        lost = sum(1 for slot in self._slots if not slot.done)
        if lost:
            self._shared.counts["answer-lost"] += lost
        self._transport = None
        self._shared.allowance.pending(self, 0)
        self.flush()

    def pause_writing(self) -> None:
        self._slow = True
        self.regulate()

    def resume_writing(self) -> None:
        self._slow = False
        self.regulate()

    # ---- answers -----------------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send the answers that are ready and whose turn it is."""
        slots, transport = self._slots, self._transport
        ready: list[bytes] = []
        while slots and slots[0].done:
            answer = slots.popleft().answer
            if answer is not None:
                ready.append(frame(answer))
        if transport is None:
            if not slots:
                self._shared.left(self)  # the connection went before; now nothing of it is on its way any more
            return
        if ready:
            transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
        if self._ending and not slots:
            self._close(transport)
        elif not self._reading:
            self.regulate()

    def _close(self, transport: asyncio.Transport) -> None:
        if self._discarding and transport.can_write_eof():
            transport.write_eof()  # the peer sees the end after the answer; then it closes, or we do
            self._loop.call_later(_LINGER, self._abandon)
        else:
            transport.close()

    def _noise(self, noise: Noise) -> bool:
        """Counted; True when nothing more is to be read from this connection."""
        self._shared.counts[noise.reason] += 1
        if noise.reason != "too-large":
            return False
        slot = _Slot(self)
        self._slots.append(slot)
        self._ending = self._discarding = True
        slot(self._too_large(noise.data), "refused")
        return True

    def _too_large(self, beginning: bytes) -> bytes | None:
        """AR: no part of it is kept, and sending it again would not help."""
        violation = Violation(
            "", "length", f"a message here has at most {self._shared.settings.max_bytes} bytes: send large parts otherwise"
        )
        at = self._shared.now().strftime("%Y%m%d%H%M%S")
        return acknowledge(beginning, "refused", (violation,), reply_id=derive_id("too-large", beginning)[:20], at=at)

    # ---- flow --------------------------------------------------------------------------------------------------------------------

    def regulate(self) -> None:
        """Read or do not read, as things are."""
        transport = self._transport
        if transport is None:
            return
        read = self._discarding or not (
            self._ending
            or self._slow
            or self._shared.is_paused()
            or len(self._slots) >= self._shared.settings.max_unanswered
            or (self._large and not self._shared.allowance.permits(self))
        )
        if read == self._reading or transport.is_closing():
            return
        self._reading = read
        if read:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def release(self, size: int) -> None:
        self._shared.allowance.release(size)

    def is_idle_since(self, before: float) -> bool:
        return self._reading and self._heard_at < before and not self._slots

    def finish(self, farewell: float) -> None:
        """Take nothing more; close when everything is answered, and whether or not the peer has read it after ``farewell`` seconds."""
        self._ending = True
        self.regulate()
        self.flush()
        self._loop.call_later(farewell, self._abandon)

    def _abandon(self) -> None:
        if self._transport is not None and not self._slots:
            self._transport.abort()
