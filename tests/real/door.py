"""Door: a TCP proxy in front of a real server, which can be shut, frozen, or made to lose the answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

Mode = Literal["open", "shut", "deaf", "mute"]
"""open: everything passes · shut: connections are cut and refused · deaf: nothing passes on from clients, connections stay ·
mute: what clients say passes on, the next answer is lost and the connection cut after it."""


class Door:
    """Listens on a port of its own; the same one for as long as it lives."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.mode: Mode = "open"
        self.port = 0
        self.lost = 0
        """Answers that were lost."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        await self.become("shut")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def become(self, mode: Mode) -> None:
        """Returns when it is so."""
        before, self.mode = self.mode, mode
        if mode == "shut" and self._server is not None:
            self._server.close()
            self._server = None
        if mode == "shut" or before == "deaf":
            self.cut()
        if mode != "shut" and self._server is None:
            await self.start()

    def cut(self) -> None:
        """All connections, at once and without a word."""
        for pair in list(self._pairs):
            for one in pair:
                one.transport.abort()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self._pairs.add(pair)
        both = [asyncio.create_task(self._pass(reader, back, "in")), asyncio.create_task(self._pass(there, writer, "out"))]
        self._tasks.update(both)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the loop ends: asyncio would tell of each connection otherwise
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            for one in pair:
                one.transport.abort()
            self._tasks.difference_update(both)
            self._pairs.discard(pair)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Literal["in", "out"]) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.mode == "deaf":
                    await asyncio.Event().wait()
                if self.mode == "mute" and way == "out":
                    self.lost += 1
                    return
                writer.write(data)
                await writer.drain()
