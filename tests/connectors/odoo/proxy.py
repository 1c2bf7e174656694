"""A proxy that lets calls through and lets some go wrong: the same faults before a practice Odoo and before a real one."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

import aiohttp
from aiohttp import web

Wrong = Literal["silent", "drops", "unavailable", "holds"]
"""silent: passes on, keeps the answer · drops: passes on, then hangs up · unavailable: 503, not passed on · holds: not passed on."""


class Proxy:
    def __init__(self, target: str) -> None:
        self.target = target
        self.port = 0
        self.seen = 0
        self.arrivals: list[float] = []
        """When each call came, in seconds of this machine's monotonic clock."""
        self.running = self.most_running = 0
        self.replace: dict[str, str] = {}
        """Headers to be sent in place of the client's."""
        self._plans: list[tuple[Wrong, bytes, list[int]]] = []
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.hits = 0
        self._then: Wrong | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def listening(self) -> bool:
        return self._runner is not None

    def plan(self, wrong: Wrong, needle: str, times: int = 1, *, then: Wrong | None = None) -> None:
        """What happens to the next calls that hold these words, in their path or as an XML-RPC argument; ``then`` to the call after."""
        self._plans.append((wrong, needle.encode(), [times]))
        self._then = then

    def clear(self) -> None:
        self._plans.clear()
        self.replace.clear()

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        self.arrivals.append(time.monotonic())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._answer(request)
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen += 1
        wrong = self._wrong(request.path.encode() + b" " + body)
        if wrong == "unavailable":
            return web.Response(status=503, text="no server is available")
        if wrong == "holds":
            await _gone(request)
            return web.Response()
        assert self._http is not None
        kept = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type", "X-Odoo-Database")}
        async with self._http.request(request.method, self.target + request.path, data=body, headers={**kept, **self.replace}) as answer:
            content = await answer.read()
        if wrong == "silent":
            await _gone(request)
        if wrong in ("silent", "drops"):
            assert request.transport is not None or wrong == "silent"
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, body=content, content_type=answer.content_type)

    def _wrong(self, call: bytes) -> Wrong | None:
        for wrong, needle, left in self._plans:
            if needle in call and left[0] > 0:
                left[0] -= 1
                self.hits += 1
                if self._then is not None:
                    self._plans, self._then = [(self._then, b"", [1])], None
                return wrong
        return None


async def _gone(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.01)
