"""Acts of people: by the running engine where one runs on an embedded journal, otherwise on the journal itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from isthmus.app.compose import keyring_of, opened, shared_journal
from isthmus.app.config import Config, PostgresJournal
from isthmus.app.control import Abandon, Redeliver, Reprocess, Request, Resume, ask, socket_path
from isthmus.engine import bell
from isthmus.journals.port import Journal, Planned

AT_ONCE = 500
"""Deliveries in one request: one transaction each, short enough not to hold the engine up."""


async def act(config: Config, request: Request) -> Sequence[str]:
    """Do it; returns the ids of the deliveries concerned. On PostgreSQL any process may act, beside the nodes."""
    if not isinstance(config.journal, PostgresJournal):
        done = await ask(socket_path(config.data), request)
        if done is not None:
            return done
    else:
        return await _beside_nodes(config.journal, request)
    async with opened(config, create=False) as journal:
        return await on_journal(journal, request)


async def _beside_nodes(settings: PostgresJournal, request: Request) -> Sequence[str]:
    """Where nodes may be running, they are told that there is something to do."""
    journal = shared_journal(settings, keyring_of(settings, create=False))
    await journal.open()
    try:
        done = await on_journal(journal, request)
        await journal.ring({bell.COURIERS, *([bell.subscriber(request.subscription)] if isinstance(request, Resume) else [])})
    finally:
        await journal.close()
    return done


async def on_journal(journal: Journal, request: Request) -> Sequence[str]:
    """Do it on a journal that this process has opened for writing."""
    now = datetime.now(UTC)
    match request:
        case Redeliver():
            return await journal.redeliver(request.ids, request.by, request.why, now)
        case Abandon():
            return await journal.abandon(request.ids, request.by, request.why, now)
        case Resume():
            await journal.resume(request.subscription, now)
            return ()
        case Reprocess():
            planned: dict[str, Sequence[Planned]] = {**request.planned}
            return await journal.reprocess(request.message_id, request.result, planned, by=request.by, why=request.why, now=now)
