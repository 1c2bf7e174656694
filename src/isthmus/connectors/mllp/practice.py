"""Practice systems that speak MLLP on real sockets: a receiver that does what a function says, and a sender.

The receiver's faults are those of the field: late answers, none, wrong control ids, refusals, broken connections, half-open ones.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

from msgspec import Struct

from isthmus.formats.hl7v2 import Hl7
from isthmus.formats.hl7v2.mllp import Decoder, Frame, frame


class Say(Struct, frozen=True, kw_only=True):
    """Answer with this code. ``control_id``: another one than the message's."""

    code: str = "AA"
    control_id: str | None = None
    error: str = ""
    """ERR-3, such as ``101``."""
    place: str = ""
    """ERR-2, such as ``PID^1^5``."""
    text: str = ""
    """ERR-8 and MSA-3: what a careless receiver quotes."""
    delay: float = 0.0


class Raw(Struct, frozen=True, kw_only=True):
    """Answer with these bytes, as they are (no frame is added)."""

    data: bytes
    delay: float = 0.0


class HangUp(Struct, frozen=True, kw_only=True):
    """Break the connection. ``acts``: after the message took effect."""

    acts: bool = True


class Freeze(Struct, frozen=True, kw_only=True):
    """Half-open: from now on read nothing on this connection and say nothing, but leave it standing."""


Reaction = Say | Raw | HangUp | Freeze
Behave = Callable[[Hl7], Reaction | Sequence[Reaction] | None]
"""What to do with a message; several reactions in their order (CA, then AA); None: act, and stay silent."""


def accepts(_message: Hl7) -> Reaction:
    """AA."""
    return Say()


class PracticeReceiver:
    """``received`` has every message as it came, ``effects`` those that took effect (once per control id if it deduplicates)."""

    def __init__(self, behave: Behave = accepts, *, deduplicates: bool = True, context: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.received: list[bytes] = []
        self.effects: list[bytes] = []
        self.port = 0
        self.connections = 0
        """Made since it was built."""
        self._done: Counter[str] = Counter()
        self._deduplicates = deduplicates
        self._context = context
        self._server: asyncio.Server | None = None
        self._open: set[_Line] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, port: int = 0) -> None:
        """Listen on the port it had before, on a given one, or on a free one; does nothing where it does already."""
        if self._server is not None:
            return
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Line(self), "127.0.0.1", port or self.port, ssl=self._context, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Every connection breaks, as when the process ends."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for line in tuple(self._open):
            line.transport.abort()
        await self._idle.wait()

    def effects_of(self, control_id: str) -> int:
        return self._done[control_id]

    def _joined(self, line: _Line) -> None:
        self.connections += 1
        self._open.add(line)
        self._idle.clear()

    def _left(self, line: _Line) -> None:
        self._open.discard(line)
        if not self._open:
            self._idle.set()

    def _act(self, message: Hl7) -> None:
        if self._deduplicates and self._done[message.control_id]:
            return
        self._done[message.control_id] += 1
        self.effects.append(bytes(message))

    def _react(self, message: Hl7, line: _Line) -> None:
        self.received.append(bytes(message))
        told = self.behave(message)
        reactions = () if told is None else tuple(told) if isinstance(told, Sequence) else (told,)
        refused = any((isinstance(one, Say) and one.code[1] in "ER") or (isinstance(one, HangUp) and not one.acts) for one in reactions)
        if not refused:
            self._act(message)
        for one in reactions:
            self._carry_out(one, message, line)

    def _carry_out(self, one: Reaction, message: Hl7, line: _Line) -> None:
        match one:
            case HangUp():
                line.transport.abort()
            case Freeze():
                line.transport.pause_reading()
            case Say():
                line.later(one.delay, frame(_answer(message, one)))
            case Raw():
                line.later(one.delay, one.data)


class _Line(asyncio.Protocol):
    """One connection to the practice receiver."""

    transport: asyncio.Transport

    def __init__(self, receiver: PracticeReceiver) -> None:
        self._receiver = receiver
        self._decoder = Decoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # TCP and TLS transports are Transports
        self._receiver._joined(self)  # noqa: SLF001 (two halves of one thing)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._receiver._left(self)  # noqa: SLF001 (as above)

    def data_received(self, data: bytes) -> None:
        for event in self._decoder.feed(data):
            if isinstance(event, Frame):
                self._receiver._react(Hl7(event.body), self)  # noqa: SLF001 (as above)

    def later(self, delay: float, data: bytes) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, self._write, data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


def _answer(message: Hl7, say: Say) -> bytes:
    """A plain acknowledgement, by hand: a practice system must not share the code that it puts to the test."""
    control_id = message.control_id if say.control_id is None else say.control_id
    lines = [f"MSH|^~\\&|PRACTICE|TEST|||20260101000000||ACK|R{control_id[:19]}|P|2.5.1", f"MSA|{say.code}|{control_id}|{say.text}"]
    if say.error or say.place:
        lines.append(f"ERR||{say.place}|{say.error}|E||||{say.text}")
    return "".join(line + "\r" for line in lines).encode()


class PracticeSender:
    """One connection to a listener. ``ask`` waits for the answer; ``send`` and ``hear`` allow anything else."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext | None = None, server_name: str | None = None) -> None:
        self._host, self._port, self._context, self._server_name = host, port, context, server_name
        self._decoder = Decoder()
        self._frames: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._context, server_hostname=self._server_name
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Without a farewell: the other side sees a reset, not an orderly end."""
        writer = self._writer
        if not writer.is_closing():
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def end(self) -> None:
        """Say that nothing more comes, and go on listening."""
        self._writer.write_eof()

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def hear(self) -> bytes | None:
        """The next answer; None when the connection has ended."""
        while not self._frames:
            data = await self._reader.read(65_536)
            if not data:
                return None
            self._frames += [event.body for event in self._decoder.feed(data) if isinstance(event, Frame)]
        return self._frames.pop(0)

    async def ask(self, message: bytes) -> bytes | None:
        """Send one message and wait for its answer."""
        await self.send(frame(message))
        return await self.hear()
