"""The composition root: from a configuration to the things that run. Nothing is built when a module is imported; all of it is here."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from isthmus.app.config import Config, JournalSettings, MemoryJournal, Placed, PostgresJournal
from isthmus.app.kinds import ENDPOINTS, SOURCES
from isthmus.connectors.port import Budget, Client, Source
from isthmus.core import Rejected, Site
from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import Clock, SystemClock
from isthmus.engine.duties import Portion
from isthmus.engine.engine import Engine
from isthmus.engine.lifeline import node_name
from isthmus.engine.membership import Membership
from isthmus.engine.shares import Share
from isthmus.engine.telemetry import Notify
from isthmus.journals.nodes import SharedJournal
from isthmus.journals.port import Journal
from isthmus.journals.sealing import Keyring

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


GATHER = 0.015
"""Seconds; see ``Engine``. Measured on one connection: acknowledged in a third of the time, for half of the CPU."""


class Assembly(Struct, kw_only=True):
    """A site, put together and ready to start. The journal is open; whoever assembled it closes it."""

    config: Config
    site: Site
    journal: Journal
    sources: dict[str, Source]
    clients: dict[str, Client]
    engine: Engine
    clock: Clock


def keyring_of(settings: JournalSettings, *, create: bool = True) -> Keyring:
    """The key ring that a journal is sealed with; made on the first run, unless it must be there already."""
    if isinstance(settings, MemoryJournal):
        return Keyring.ephemeral()
    if not create and not settings.keyring.exists():
        raise Rejected("keyring-missing", f"there is no key ring {settings.keyring}: nothing has run here yet, or it must be restored")
    return Keyring.load_or_create(settings.keyring)


def journal_of(settings: JournalSettings, keyring: Keyring, *, read_only: bool = False) -> Journal:
    """The journal's adapter, not opened yet. ``read_only``: beside a running engine; what would write raises."""
    if isinstance(settings, MemoryJournal):
        from isthmus.journals.memory import MemoryJournal as Memory  # noqa: PLC0415 - only the kind that is asked for

        return Memory(keyring)
    if isinstance(settings, PostgresJournal):
        return shared_journal(settings, keyring)
    from isthmus.journals.sqlite import SqliteJournal as Sqlite  # noqa: PLC0415

    return Sqlite(settings.path, keyring, read_only=read_only)


def shared_journal(settings: PostgresJournal, keyring: Keyring) -> SharedJournal:
    """The adapter of a journal that several nodes can open."""
    from isthmus.journals.postgres import PostgresJournal as Postgres  # noqa: PLC0415 - needs the extra `postgres`

    return Postgres(settings.dsn, keyring, connections=settings.connections)


@asynccontextmanager
async def opened(config: Config, *, read_only: bool = False, create: bool = True) -> AsyncIterator[Journal]:
    """The site's journal, open for as long as the block runs."""
    if read_only and isinstance(config.journal, MemoryJournal):
        raise Rejected("journal-memory", "a journal in memory is gone with its process: set [journal] kind to sqlite or postgres")
    journal = journal_of(config.journal, keyring_of(config.journal, create=create), read_only=read_only)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


def sources_of(config: Config) -> dict[str, Source]:
    """Every configured source, not started yet."""
    return {name: SOURCES[placed.kind].load("listen")(name, placed.settings) for name, placed in config.sources.items()}


def clients_of(config: Config, clock: Clock, shares: Mapping[str, Share] | None = None) -> dict[str, Client]:
    """A client for every configured endpoint, not opened yet; all that go to one endpoint share its budget. ``shares``: what this node
    may use of it, where several share the journal.
    """
    budgets = {name: one.budget for name, one in (shares or {}).items()}
    return {name: client_of(placed, clock, budgets.get(name)) for name, placed in config.endpoints.items()}


def client_of(placed: Placed, clock: Clock, budget: Budget | None = None) -> Client:
    """The client of one endpoint."""
    whole = _whole(placed)
    budget = budget or TargetBudget(clock, calls_per_second=whole.calls_per_second, in_flight=whole.in_flight)
    client: Client = ENDPOINTS[placed.kind].load("connect")(placed.name, placed.settings, budget)
    return client


@asynccontextmanager
async def assembled(config: Config, site: Site, notify: Notify, *, node: str = "", clock: Clock | None = None) -> AsyncIterator[Assembly]:
    """Everything that a site needs to run, its journal open; the engine is not started yet. ``node``: which of the nodes that share the
    journal this is; the host's name unless given.
    """
    clock = clock or SystemClock()
    rng = random.Random()  # noqa: S311 - spreads retries and tells incarnations apart, guards nothing
    keyring = keyring_of(config.journal)
    journal: Journal
    place: str | Membership
    shares: dict[str, Share] = {}
    if isinstance(config.journal, PostgresJournal):
        journal = shared = shared_journal(config.journal, keyring)
        place = member = Membership(shared, _named(node or socket.gethostname()), clock=clock, rng=rng, notify=notify)
        shares = {name: Share(_whole(placed), member, clock) for name, placed in config.endpoints.items()}
    elif node:
        raise Rejected("node-alone", 'this kind of journal is one process\' own: leave --node away, or set [journal] kind to "postgres"')
    else:
        journal, place = journal_of(config.journal, keyring), node_name()
    sources, clients = sources_of(config), clients_of(config, clock, shares)
    await journal.open()
    try:
        engine = Engine(
            site,
            journal,
            sources,
            clients,
            clock=clock,
            rng=rng,
            node=place,
            pseudonym=keyring.pseudonym,
            notify=notify,
            shares=shares,
            gather=GATHER,
        )
        yield Assembly(config=config, site=site, journal=journal, sources=sources, clients=clients, engine=engine, clock=clock)
    finally:
        await journal.close()


def _named(node: str) -> str:
    if not _NAME.fullmatch(node):
        raise Rejected("node-name", "the name of a node has letters, digits, dots and hyphens only: give it another with --node")
    return node


def _whole(placed: Placed) -> Portion:
    """What a target allows to all nodes together."""
    settings: Any = placed.settings
    return Portion(settings.calls_per_second or None, settings.in_flight)
