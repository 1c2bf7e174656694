"""A practice HTTP system: a real server on a real socket that does what a function says, and remembers what it did.

It honours ``Idempotency-Key`` as a good receiver does (``deduplicates=False`` makes it a bad one), keeps what was written under its
path, and answers a GET with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web
from msgspec import Struct


class Received(Struct, frozen=True, kw_only=True):
    """One request as the practice system saw it."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    at: datetime

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


class Respond(Struct, frozen=True, kw_only=True):
    """How to answer: with a status (``acts``: does the write take effect?), late, or not at all."""

    status: int = 201
    acts: bool = True
    delay: float = 0.0
    """Seconds before the answer."""
    hang_up: bool = False
    """Break the connection instead of answering."""
    headers: dict[str, str] = {}
    body: bytes = b"{}"


Behave = Callable[[Received], Respond]


def takes(_request: Received) -> Respond:
    """Created, and the effect is there."""
    return Respond()


class PracticePortal:
    """Start it, send to it, look at ``received`` (every request) and ``effects`` (writes that took effect)."""

    def __init__(
        self, behave: Behave = takes, *, deduplicates: bool = True, token: str = "", context: ssl.SSLContext | None = None
    ) -> None:
        self.behave = behave
        self.received: list[Received] = []
        self.effects: list[Received] = []
        self.resources: dict[str, bytes] = {}
        self.port = 0
        self._peers: set[object] = set()
        self._done: set[str] = set()
        self._deduplicates = deduplicates
        self.token = token
        self._context = context
        self._runner: web.AppRunner | None = None

    @property
    def connections(self) -> int:
        """On how many connections requests have come."""
        return len(self._peers)

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on the port it had before, on a given one, or on a free one; does nothing where it does already."""
        if self._runner is not None:
            return
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port or self.port, ssl_context=self._context, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        received = Received(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            at=datetime.now(UTC),
        )
        self.received.append(received)
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername"))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        if received.method == "GET":
            return self._show(received)
        respond = self.behave(received)
        if respond.acts:
            self._act(received)
        if respond.delay:
            await asyncio.sleep(respond.delay)
        if respond.hang_up and request.transport is not None:
            request.transport.abort()
        return web.Response(status=respond.status, headers=respond.headers, body=respond.body)

    def _show(self, received: Received) -> web.Response:
        if received.path == "/":
            return web.Response(text="practice")
        body = self.resources.get(received.path)
        return web.Response(status=404) if body is None else web.Response(body=body, content_type="application/json")

    def _act(self, received: Received) -> None:
        if self._deduplicates and received.key and received.key in self._done:
            return
        self._done.add(received.key)
        self.effects.append(received)
        if received.method == "DELETE":
            self.resources.pop(received.path, None)
        else:
            self.resources[received.path] = received.body
