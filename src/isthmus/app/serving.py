"""Serving: a site that runs. Start, serve until somebody asks for the end, drain, stop, and say what the balance is.

``isthmus run`` and ``isthmus demo`` are both this; they differ in who looks on (``Watcher``) and in what they start beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from msgspec import Struct

from isthmus.app.balance import Balance, Outside, balance
from isthmus.app.compose import Assembly, assembled
from isthmus.app.config import Config, MemoryJournal, SqliteJournal
from isthmus.app.control import Abandon, ControlServer, Redeliver, Reprocess, Request, Resume, socket_path
from isthmus.app.loop import Signals, done, first
from isthmus.core import Site, Transient
from isthmus.engine.diff import Diff
from isthmus.engine.status import Status
from isthmus.engine.telemetry import Meters, Notice, Notify, told
from isthmus.journals.port import Tally

DRAIN = 30.0
"""Seconds that a drain may take; what is not delivered by then stays in the journal and goes on at the next start."""


class Snapshot(Struct, frozen=True, kw_only=True):
    """What a watcher is shown, once a second."""

    balance: Balance
    status: Status
    draining: bool


class Watcher(Protocol):
    """Who looks on while a site runs."""

    every: float
    """Seconds between two snapshots."""

    def notice(self, notice: Notice) -> None: ...

    def show(self, snapshot: Snapshot) -> None: ...


class Serving:
    """A started site. ``meters`` counts what the engine told."""

    def __init__(self, assembly: Assembly, meters: Meters, before: Sequence[Tally]) -> None:
        self.assembly = assembly
        self.meters = meters
        self._before = tuple(before)
        self.draining = False

    @property
    def answered(self) -> int:
        """Messages that were kept and answered since the start."""
        return sum(self.meters.total(f"messages_received_{what}") for what in ("accepted", "invalid", "refused", "duplicates"))

    async def balance(self, *, answered: int | None = None, duplicated: Mapping[str, int] | None = None) -> Balance:
        """The sheet of now. ``answered``: what senders count, where they are asked; otherwise what the engine counted."""
        journal = self.assembly.journal
        outside = Outside(answered=self.answered if answered is None else answered, before=self._before, duplicated=dict(duplicated or {}))
        return balance(self.assembly.site, await journal.tallies(), await journal.positions(), outside)

    async def snapshot(self) -> Snapshot:
        return Snapshot(balance=await self.balance(), status=self.assembly.engine.status(), draining=self.draining)

    async def drain(self, now: asyncio.Event, timeout: float = DRAIN) -> bool:
        """Take nothing more and work off what can be; False when the time was over, or ``now`` was set, first."""
        self.draining = True
        drained = asyncio.create_task(self.assembly.engine.drain(timeout))
        await first(done(drained), now.wait())
        if drained.done():
            return drained.result()
        drained.cancel()
        await asyncio.gather(drained, return_exceptions=True)
        return False

    async def act(self, request: Request) -> Sequence[str]:
        """What a person asks of the running engine."""
        journal, replay, now = self.assembly.journal, self.assembly.engine.replay, self.assembly.clock.now
        match request:
            case Redeliver():
                return await replay.redeliver(request.ids, by=request.by, why=request.why)
            case Abandon():
                return await journal.abandon(request.ids, request.by, request.why, now())
            case Resume():
                await journal.resume(request.subscription, now())
                return ()
            case Reprocess():
                return await replay.apply(shown(request), by=request.by, why=request.why)


def shown(request: Reprocess) -> Diff:
    """The preview that a person approved, as far as applying it needs it."""
    return Diff(
        message_id=request.message_id,
        old_state="translated",
        new_state=request.result.state,
        digest=request.digest,
        result=request.result,
        planned=request.planned,
    )


@asynccontextmanager
async def serving(config: Config, site: Site, notify: Notify, *, node: str = "") -> AsyncIterator[Serving]:
    """The site runs for as long as the block; leaving it stops at once (``drain`` first for a graceful end)."""
    meters = Meters()
    async with assembled(config, site, told(meters, notify), node=node) as assembly:
        served = Serving(assembly, meters, await assembly.journal.tallies())
        control = ControlServer(socket_path(config.data), served.act)
        embedded = isinstance(config.journal, SqliteJournal | MemoryJournal)
        try:
            if embedded:
                await control.start()
            await assembly.engine.start()
            yield served
        finally:
            await control.stop()
            await assembly.engine.stop()


async def serve(
    config: Config, site: Site, watcher: Watcher, signals: Signals, *, drain: float = DRAIN, node: str = ""
) -> tuple[Balance, bool]:
    """Run until a signal, drain, and return the balance and whether all could be worked off. Raises the bug that ended a loop."""
    async with serving(config, site, watcher.notice, node=node) as served:
        watching = asyncio.create_task(watch(served, watcher))
        try:
            await first(signals.end.wait(), served.assembly.engine.wait(), done(watching))
            drained = await served.drain(signals.now, drain)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return await served.balance(), drained


async def watch(served: Serving, watcher: Watcher) -> None:
    """Show a snapshot every now and then, until cancelled. While the journal is away there is nothing new to show."""
    while True:
        with suppress(Transient):
            watcher.show(await served.snapshot())
        await asyncio.sleep(watcher.every)
