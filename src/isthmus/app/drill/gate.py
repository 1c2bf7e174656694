"""Gate: stands before a practice system and does to its answers what networks and bad receivers do.

It sees bytes only. What the engine sends until an answer comes is one exchange; for each exchange a fate is drawn. The system behind
the gate has always done what it was asked: what the gate spoils is that anybody hears of it, as in the field.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Literal

from msgspec import Struct

Kind = Literal["pass", "slow", "lose", "hang", "cut", "garble", "twice", "foreign"]
"""pass · slow: the answer comes later · lose: the connection breaks instead of the answer · hang: nothing comes, and the connection
stands · cut: a part of the answer, then the end · garble: an answer that is none · twice: the answer, and once more · foreign: an
acknowledgement of another message (MSA-2)."""


class Fate(Struct, frozen=True):
    kind: Kind = "pass"
    seconds: float = 0.0
    """For slow."""


PASS = Fate()
LATENCY = (0.001, 0.02)
"""Seconds that the systems behind take for an answer at best and at worst: so there is always something in the air."""
_MSA = re.compile(rb"MSA\|(\w\w)\|[^|\r\x1c]*")


class Gate:
    """Listens for the engine and connects to the practice system; ``struck`` counts what it did."""

    def __init__(
        self,
        name: str,
        behind: int,
        *,
        rng: Random,
        speaks: Literal["mllp", "http", ""] = "",
        host: str = "127.0.0.1",
        latency: tuple[float, float] = LATENCY,
    ) -> None:
        """``behind``: the practice system's port, on ``host``. ``latency``: seconds that its answers take, at best and at worst."""
        self.name = name
        self.host = host
        self.behind = behind
        self.speaks = speaks
        self.port = 0
        self.draw: Callable[[], Fate] = lambda: PASS
        self.struck: Counter[str] = Counter()
        self.in_the_air = 0
        """Exchanges that wait for their answer."""
        self._rng = rng
        self._latency = latency
        self._server: asyncio.Server | None = None
        self._lines: set[_Near] = set()
        self._behind_open = 0

    async def open(self, port: int) -> None:
        """Listen (again); nothing is spoiled until ``draw`` is set."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(lambda: _Near(self), "127.0.0.1", port, reuse_address=True)
            self.port = port

    def shut(self) -> None:
        """As when the system is off: every connection breaks, new ones are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for line in tuple(self._lines):
            self.struck["broken" if line.waits else "closed"] += 1
            line.end(abort=True)

    async def close(self) -> None:
        self.shut()
        while self._lines or self._behind_open:  # noqa: ASYNC110 - the transports tell in the next turns of the loop
            await asyncio.sleep(0.001)

    def garbage(self) -> bytes:
        noise = self._rng.randbytes(24).replace(b"\x1c", b"?").replace(b"\x0b", b"?")
        return b"\x0b" + noise + b"\x1c\r" if self.speaks == "mllp" else noise + b"\r\n\r\n"

    def latency(self) -> float:
        return self._rng.uniform(*self._latency)

    def part(self, data: bytes) -> bytes:
        """Some of it, never all."""
        return data[: self._rng.randrange(1, max(2, len(data)))]

    def reached(self, more: int) -> None:
        """A connection to the system behind was made, or has ended."""
        self._behind_open += more

    def joined(self, line: _Near) -> None:
        self._lines.add(line)

    def left(self, line: _Near) -> None:
        self._lines.discard(line)


class _Near(asyncio.Protocol):
    """The engine's side of one connection."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._transport: asyncio.Transport | None = None
        self._far: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._fate = PASS
        self._latency = 0.0
        self._spoilt = False
        self.waits = False
        """Something was asked and not answered yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a TCP transport is a Transport
        self._gate.joined(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            far, _ = await asyncio.get_running_loop().create_connection(lambda: _Far(self, self._gate), self._gate.host, self._gate.behind)
        except OSError:
            self.end(abort=True)
            return
        if self._transport is None:
            far.abort()
            return
        self._far = far
        for data in self._early:
            far.write(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if not self.waits:
            self.waits = True
            self._spoilt = False
            self._gate.in_the_air += 1
            self._fate = self._gate.draw()
            self._latency = self._gate.latency()
        if self._far is None:
            self._early.append(data)
        elif self._far.is_closing():
            self.end(abort=True)
        else:
            self._far.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._answered()
        self._transport = None
        self._gate.left(self)
        if self._far is not None:
            self._far.close()

    def end(self, *, abort: bool = False) -> None:
        if self._transport is not None:
            (self._transport.abort if abort else self._transport.close)()

    # ---- answers

    def answer(self, data: bytes) -> None:
        fate, gate = self._fate, self._gate
        if self._spoilt:
            if fate.kind == "slow":
                asyncio.get_running_loop().call_later(fate.seconds, self._write, data)
            return
        if fate.kind == "pass":
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._write, data)
            else:
                self._write(data)
            return
        self._spoilt = True
        gate.struck[fate.kind] += 1
        self._spoil(fate, data)

    def _spoil(self, fate: Fate, data: bytes) -> None:
        gate = self._gate
        match fate.kind:
            case "slow":
                asyncio.get_running_loop().call_later(fate.seconds, self._write, data)
            case "lose":
                self.end(abort=True)
            case "cut":
                self._write(gate.part(data))
                self.end()
            case "garble":
                self._write(gate.garbage())
                if gate.speaks != "mllp":
                    self.end()
            case "twice":
                self._write(data + data)
            case "foreign":
                self._write(_MSA.sub(rb"MSA|\1|SOMEBODY-ELSES", data))
            case _:
                pass  # hang: nothing comes any more

    def far_ended(self) -> None:
        if self._fate.kind == "hang" and self._spoilt:
            return
        delay = max(self._fate.seconds, self._latency) if self._fate.kind in ("slow", "pass") else 0.0
        asyncio.get_running_loop().call_later(delay, self.end)

    def _write(self, data: bytes) -> None:
        self._answered()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _answered(self) -> None:
        if self.waits:
            self.waits = False
            self._gate.in_the_air -= 1


class _Far(asyncio.Protocol):
    """The practice system's side."""

    def __init__(self, near: _Near, gate: Gate) -> None:
        self._near = near
        self._gate = gate

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        del transport  # whoever made it has it
        self._gate.reached(+1)

    def data_received(self, data: bytes) -> None:
        self._near.answer(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._gate.reached(-1)
        self._near.far_ended()
