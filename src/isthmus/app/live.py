"""Dry runs whose questions go to the real endpoints: reads only, nothing is sent and nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.app.answers import Answerer
from isthmus.app.compose import clients_of, keyring_of
from isthmus.app.config import Config
from isthmus.app.planning import DryRun, dry_run
from isthmus.connectors.port import Client
from isthmus.core import Failure, Lookup, Rejected, Site
from isthmus.core.pseudonym import ENDPOINT as OURSELVES
from isthmus.engine.clock import SystemClock

TIMEOUT = 10.0


async def plan_live(config: Config, site: Site, bodies: Sequence[bytes], *, interface: str = "") -> list[DryRun]:
    """A plan for each message; what cannot be answered is told as trouble of the subscription that asked."""
    clients = clients_of(config, SystemClock())
    keyring = keyring_of(config.journal, create=False)
    opened: set[str] = set()
    try:
        return [await _plan(site, body, interface, _Live(clients, opened, keyring.pseudonym)) for body in bodies]
    finally:
        for client in clients.values():  # all: what failed to open may be open by half
            await client.close()


async def _plan(site: Site, body: bytes, interface: str, live: _Live) -> DryRun:
    """Plan again after each answer that was fetched: the functions are pure, so they ask the same up to there."""
    while True:
        try:
            return dry_run(site, body, interface=interface, answerer=live.again())
        except _Missing as missing:
            await live.fetch(missing.lookup)


class _Missing(BaseException):
    """A question that was not asked yet. A signal, not an error: interface code must not be able to catch it."""

    def __init__(self, lookup: Lookup[Any]) -> None:
        self.lookup = lookup


class _Live:
    def __init__(self, clients: Mapping[str, Client], opened: set[str], pseudonym: Any) -> None:
        self._clients = clients
        self._opened = opened
        self._pseudonym = pseudonym
        self._known: dict[str, Any] = {}

    def again(self) -> Answerer:
        return Answerer(otherwise=self._at_hand)

    def _at_hand(self, lookup: Lookup[Any]) -> Any:
        if lookup.id not in self._known:
            raise _Missing(lookup)
        value = self._known[lookup.id]
        if isinstance(value, Failure):
            raise value
        return value

    async def fetch(self, lookup: Lookup[Any]) -> None:
        try:
            self._known[lookup.id] = await self._ask(lookup)
        except Failure as failure:
            self._known[lookup.id] = failure

    async def _ask(self, lookup: Lookup[Any]) -> Any:
        if lookup.endpoint == OURSELVES:
            return self._pseudonym(*lookup.args)
        client = self._clients.get(lookup.endpoint)
        if client is None:
            raise Rejected("no-client", f"{lookup.endpoint} is not configured: add it under [endpoints]")
        if lookup.endpoint not in self._opened:
            await client.open()
            self._opened.add(lookup.endpoint)
        return await client.look(lookup, TIMEOUT)
