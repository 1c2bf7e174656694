"""LazyClient: opens an endpoint's client when it is first asked something, for commands that may not need it at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.connectors.port import Client
from isthmus.core import Delivery, Lookup, Outcome, Rejected
from isthmus.core.policy import Lane


class LazyClient:
    """A client for questions only; it refuses to send."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open = False
        self.max_batch = client.max_batch
        self.in_flight = client.in_flight

    async def open(self) -> None:
        if not self._open:
            await self._client.open()
            self._open = True

    async def close(self) -> None:
        await self._client.close()  # also what failed to open, and is open by half

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        raise Rejected("read-only", f"this command sends nothing ({len(deliveries)} deliveries, {timeout} s, lane {lane})")

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        await self.open()
        return await self._client.check(delivery, timeout, lane=lane)

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        await self.open()
        return await self._client.look(lookup, timeout, lane=lane)

    async def ping(self, timeout: float) -> None:
        await self.open()
        await self._client.ping(timeout)
