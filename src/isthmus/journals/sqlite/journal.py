"""SqliteJournal: the port's methods, each handed to the writer or to a reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.core.policy import Lane
from isthmus.journals.port import (
    Accepted,
    Arrival,
    Claimed,
    DeliveryState,
    Planned,
    Position,
    Pruned,
    Query,
    Settlement,
    Stored,
    StoredDelivery,
    Story,
    Tally,
    Translated,
)
from isthmus.journals.rules import Act
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import acts, archive, intake, outbox, stages
from isthmus.journals.sqlite.prune import Pass, prune_slice
from isthmus.journals.sqlite.reading import Reading
from isthmus.journals.sqlite.session import Session
from isthmus.journals.sqlite.store import Store
from isthmus.journals.sqlite.writer import closed

T = TypeVar("T")


class SqliteJournal:
    """One file, one writing process. ``path`` is created on ``open``, readable by its owner only.

    ``read_only`` opens a file that is there, beside the process that writes it; whatever would write raises ``Rejected``.
    """

    def __init__(self, path: Path, keyring: Keyring, *, read_only: bool = False) -> None:
        self._path = path
        self._keyring = keyring
        self._read_only = read_only
        self._store: Store | Reading | None = None

    async def open(self) -> None:
        if self._store is None:
            loop = asyncio.get_running_loop()
            opening = Reading.open if self._read_only else Store.open
            store: Store | Reading = await loop.run_in_executor(None, opening, self._path, self._keyring, loop)
            self._store = store
            store.begin()

    async def close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            await store.end()
            await asyncio.get_running_loop().run_in_executor(None, store.close)

    @property
    def commits(self) -> int:
        """Transactions so far; how well commits are shared can be seen from it."""
        return self._opened.writer.commits

    @property
    def _opened(self) -> Store | Reading:
        if self._store is None:
            raise closed()
        return self._store

    async def _write(self, run: Callable[[Session], T]) -> T:
        return await self._opened.writer.do(run)

    async def _read(self, run: Callable[[Session], T]) -> T:
        return await self._opened.readers.do(run)

    # ---- upkeep

    async def prune(self, interface: str, before: datetime, now: datetime, limit: int = 10_000) -> Pruned:
        walk = Pass(interface, before, now, limit)
        loop = asyncio.get_running_loop()
        while not walk.done:
            begun = loop.time()
            await self._write(lambda session: prune_slice(session, walk))
            await asyncio.sleep(min(loop.time() - begun, 0.05))  # as much time as it takes is left to the flow
        if walk.found.messages:
            await self._opened.give_space_back()
        return walk.found

    async def size(self) -> int:
        return self._opened.size()

    # ---- intake

    async def receive(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        return await self._write(lambda session: intake.receive(session, arrivals))

    async def backlog(self) -> dict[str, int]:
        return await self._read(archive.backlog)

    # ---- stages

    async def untranslated(self, limit: int, interfaces: AbstractSet[str] | None = None) -> Sequence[Message]:
        return await self._opened.readers.at_hand("untranslated", lambda session: stages.untranslated(session, limit, interfaces))

    async def translated(self, results: Sequence[Translated], now: datetime) -> None:
        await self._write(lambda session: stages.translated(session, results, now))

    async def enrol(
        self, subscription: str, types: frozenset[str], *, lane: Lane = "normal", start: Literal["now", "beginning"] = "beginning"
    ) -> Position:
        return await self._write(lambda session: stages.enrol(session, subscription, types, lane, start))

    async def upcoming(self, subscription: str, limit: int) -> Sequence[Envelope]:
        return await self._opened.readers.at_hand("upcoming " + subscription, lambda session: stages.upcoming(session, subscription, limit))

    async def planned(self, subscription: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None = None) -> bool:
        return await self._write(lambda session: stages.planned(session, subscription, cursor, results, now, after=after))

    async def stop(self, subscription: str, reason: str, detail: str, now: datetime) -> None:  # noqa: ARG002 - nothing shows when
        await self._write(lambda session: stages.stop(session, subscription, reason, detail))

    async def resume(self, subscription: str, now: datetime) -> None:  # noqa: ARG002 - nothing shows when
        await self._write(lambda session: stages.stop(session, subscription, "", ""))

    async def positions(self) -> Sequence[Position]:
        return await self._read(stages.positions)

    # ---- outbox

    async def claim(self, endpoint: str, limit: int, now: datetime, owner: str, *, lane: Lane | None = None) -> Sequence[Claimed]:
        return await self._write(lambda session: outbox.claim(session, endpoint, limit, now, owner, lane=lane))

    async def settle(self, settlements: Sequence[Settlement], owner: str) -> None:
        await self._write(lambda session: outbox.settle(session, settlements, owner))

    async def release(self, owner: str, now: datetime) -> int:
        return await self._write(lambda session: outbox.release(session, owner, now))

    async def owners(self) -> Sequence[str]:
        return await self._read(outbox.owners)

    async def next_due(self, endpoint: str) -> datetime | None:
        return await self._opened.readers.at_hand("next due", lambda session: outbox.next_due(session, endpoint))

    async def receipt(self, delivery_key: str, endpoint: str, receipt: Receipt, now: datetime) -> bool:
        return await self._write(lambda session: outbox.receipt(session, delivery_key, endpoint, receipt, now))

    # ---- acts

    async def redeliver(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        return await self._write(lambda session: acts.redeliver(session, delivery_ids, Act(by, why, now)))

    async def abandon(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        return await self._write(lambda session: acts.abandon(session, delivery_ids, Act(by, why, now)))

    async def reprocess(
        self, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], *, by: str, why: str, now: datetime
    ) -> Sequence[str]:
        return await self._write(lambda session: acts.reprocess(session, message_id, result, planned, Act(by, why, now)))

    # ---- archive

    async def find(self, query: Query) -> Sequence[Stored]:
        return await self._read(lambda session: archive.find(session, query))

    async def story(self, any_id: str) -> Story | None:
        return await self._read(lambda session: archive.story(session, any_id))

    async def message(self, message_id: str) -> Message | None:
        return await self._read(lambda session: stages.message(session, message_id))

    async def piece(self, message_id: str, start: int, length: int) -> bytes:
        return await self._read(lambda session: stages.piece(session, message_id, start, length))

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return await self._read(lambda session: archive.delivery(session, delivery_id))

    async def answers(self, event_id: str, subscription: str) -> Sequence[Answer]:
        return await self._read(lambda session: archive.answers(session, event_id, subscription))

    async def deliveries(self, *, state: DeliveryState, endpoint: str = "", before: int = 0, limit: int = 50) -> Sequence[StoredDelivery]:
        return await self._read(lambda session: archive.deliveries(session, state, endpoint, before, limit))

    async def tallies(self) -> Sequence[Tally]:
        return await self._read(archive.tallies)
