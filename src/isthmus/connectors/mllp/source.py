"""The listener of an MLLP source: many connections, no task and no future per message."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from isthmus.connectors.allowance import Allowance
from isthmus.connectors.mllp.inlet import Inlet, Shared
from isthmus.connectors.mllp.settings import MllpSource
from isthmus.connectors.port import Accept
from isthmus.connectors.tls import server_context
from isthmus.core.failure import Rejected

_FAREWELL = 5.0
"""Seconds that a peer has, when we stop, to take its last answers."""


class MllpListener:
    """One source. Messages of a connection are answered in their order, whatever the order in which they become durable."""

    def __init__(self, name: str, settings: MllpSource, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        """Reason codes of what was not taken (noise, what was too large, connections turned away), for telemetry."""
        self._settings = settings
        self._now = now
        self._inlets: set[Inlet] = set()
        self._paused = False
        self._server: asyncio.Server | None = None
        self._gone = asyncio.Event()
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """On which it listens, once it does."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    @property
    def connections(self) -> int:
        return len(self._inlets)

    async def start(self, accept: Accept) -> None:
        settings = self._settings
        context = server_context(settings.tls, f"sources.{self.name}") if settings.tls is not None else None
        shared = Shared(
            source=self.name,
            accept=accept,
            settings=settings,
            allowance=Allowance(settings.max_held),
            counts=self.counts,
            now=self._now,
            is_paused=lambda: self._paused,
            joined=self._joined,
            left=self._left,
        )
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Inlet(shared),
                settings.host,
                settings.port,
                ssl=context,
                backlog=settings.backlog,
                reuse_address=True,
                reuse_port=settings.reuse_port or None,
            )
        except OSError as error:
            raise Rejected(
                "listen", f"sources.{self.name} cannot listen on {settings.host}:{settings.port} ({error.strerror}): choose a free port"
            ) from error
        if settings.idle_timeout:
            self._schedule_sweep()

    def pause(self) -> None:
        self._paused = True
        for inlet in self._inlets:
            inlet.regulate()

    def resume(self) -> None:
        self._paused = False
        for inlet in tuple(self._inlets):
            inlet.regulate()

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._sweep is not None:
            self._sweep.cancel()
        for inlet in tuple(self._inlets):
            inlet.finish(_FAREWELL)
        while self._inlets:
            self._gone.clear()
            await self._gone.wait()

    def _joined(self, inlet: Inlet) -> bool:
        """False: one too many."""
        if self._server is None or len(self._inlets) >= self._settings.max_connections:
            return False
        self._inlets.add(inlet)
        return True

    def _left(self, inlet: Inlet) -> None:
        self._inlets.discard(inlet)
        if not self._inlets:
            self._gone.set()

    def _schedule_sweep(self) -> None:
        """One timer for all connections: a timer per message would cost more than the message."""
        loop = asyncio.get_running_loop()

        def sweep() -> None:
            before = loop.time() - self._settings.idle_timeout
            for inlet in tuple(self._inlets):
                if inlet.is_idle_since(before):
                    self.counts["idle"] += 1
                    inlet.finish(_FAREWELL)
            self._schedule_sweep()

        self._sweep = loop.call_later(self._settings.idle_timeout / 4, sweep)
