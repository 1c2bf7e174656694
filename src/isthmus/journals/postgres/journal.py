"""PostgresJournal: the whole port over one PostgreSQL database, shared by as many nodes as wanted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid4

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.core.policy import Lane
from isthmus.journals.nodes import Seen
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
)  # fmt: skip
from isthmus.journals.postgres import acts, archive, intake, members, outbox, stages, upkeep
from isthmus.journals.postgres.bell import Bell
from isthmus.journals.postgres.housekeeper import EVERY, Housekeeper
from isthmus.journals.postgres.rows import Seals
from isthmus.journals.postgres.runs import Runs
from isthmus.journals.postgres.schema import migrate
from isthmus.journals.postgres.shelves import Shelves
from isthmus.journals.postgres.store import Store
from isthmus.journals.rules import Act
from isthmus.journals.sealing import Keyring
from isthmus.journals.sealing.chunks import chunks

_GIB: Final = 1 << 30
_RUN: Final = 128 << 20
"""About two million entries: what a checkpoint writes whole of their pages at most once, and what any server has in its cache."""


class PostgresJournal:
    """Built unopened; ``open`` connects and migrates. Everything lies in the schema ``isthmus`` of the database.

    ``dsn`` is what libpq takes (``postgresql://user@host/database``). Any method raises ``Transient`` while the database is out of
    reach and connects again by itself; whatever is asked again then is idempotent, but for what its answer tells: a message whose
    first commit succeeded unheard is answered as a duplicate.
    """

    def __init__(
        self,
        dsn: str,
        keyring: Keyring,
        *,
        connections: int = 10,
        shelf_bytes: int = _GIB,
        run_bytes: int = _RUN,
        housekeeping: int = EVERY,
    ) -> None:
        self._store = Store(dsn, connections, Seals(keyring))
        self._ring = keyring.id
        self._shelves = Shelves(self._store, shelf_bytes)
        self._housekeeper = Housekeeper(self._store, self._shelves, Runs(self._store, run_bytes), housekeeping)
        self._bell = Bell(self._store)
        self._in_doubt: set[UUID] = set()
        """Calls of ``claim`` that were cut off: whatever they took was handed to nobody and is given back before the next."""

    # ---- upkeep ---------------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        await self._store.open()
        try:
            await self._store.transact(lambda session: migrate(session, self._ring))
        except BaseException:
            await self._store.close()
            raise

    async def close(self) -> None:
        await self._bell.close()
        await self._housekeeper.close()
        await self._store.close()

    async def prune(self, interface: str, before: datetime, now: datetime, limit: int = 10_000) -> Pruned:
        self._housekeeper.check()
        pruned = await self._store.transact(lambda session: upkeep.prune(session, interface, before, now, limit))
        if pruned.messages < limit:  # the end of a run
            await self._shelves.tidy()
        return pruned

    async def size(self) -> int:
        async with self._store.session() as session:
            size: int = await session.value("size")
            return size

    # ---- receiver, translator, subscriber ----------------------------------------------------------------------------------------

    async def receive(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        small = [one for one in arrivals if not chunks(len(one.message.body))]
        async with self._store.session() as session:
            kept = iter(await intake.receive(session, small))
        answers = [
            await self._store.transact(functools.partial(intake.receive_large, arrival=one))
            if chunks(len(one.message.body))
            else next(kept)
            for one in arrivals
        ]
        self._housekeeper.passed(len(arrivals))
        return answers

    async def backlog(self) -> dict[str, int]:
        async with self._store.session() as session:
            return {row["name"]: row["count"] for row in await session.rows("backlog")}

    async def untranslated(self, limit: int, interfaces: AbstractSet[str] | None = None) -> Sequence[Message]:
        async with self._store.session() as session:
            return await stages.untranslated(session, limit, interfaces)

    async def translated(self, results: Sequence[Translated], now: datetime) -> None:
        if results:
            await self._store.transact(lambda session: stages.translated(session, results, now))

    async def enrol(
        self,
        subscription: str,
        types: frozenset[str],
        *,
        lane: Lane = "normal",
        start: Literal["now", "beginning"] = "beginning",
    ) -> Position:
        return await self._store.transact(lambda session: stages.enrol(session, subscription, types, lane, start))

    async def upcoming(self, subscription: str, limit: int) -> Sequence[Envelope]:
        async with self._store.session() as session:
            return await stages.upcoming(session, subscription, limit)

    async def planned(
        self,
        subscription: str,
        cursor: int,
        results: Sequence[Planned],
        now: datetime,
        *,
        after: int | None = None,
    ) -> bool:
        return await self._store.transact(lambda session: stages.planned(session, subscription, cursor, results, now, after=after))

    async def stop(self, subscription: str, reason: str, detail: str, now: datetime) -> None:  # noqa: ARG002 - nothing shows when
        await self._store.transact(lambda session: stages.set_stopped(session, subscription, reason, detail))

    async def resume(self, subscription: str, now: datetime) -> None:  # noqa: ARG002 - nothing shows when
        await self._store.transact(lambda session: stages.set_stopped(session, subscription, "", ""))

    async def positions(self) -> Sequence[Position]:
        async with self._store.session() as session:
            return await stages.positions(session)

    # ---- courier and lifeline ----------------------------------------------------------------------------------------------------

    async def claim(
        self,
        endpoint: str,
        limit: int,
        now: datetime,
        owner: str,
        *,
        lane: Lane | None = None,
    ) -> Sequence[Claimed]:
        if self._in_doubt:
            doubtful = tuple(self._in_doubt)
            await self._store.transact(lambda session: outbox.give_back(session, doubtful))
            self._in_doubt.difference_update(doubtful)
        call = uuid4()
        try:
            async with self._store.session() as session:
                return await outbox.claim(session, endpoint, limit, now, owner=owner, call=call, lane=lane)
        except BaseException:
            self._in_doubt.add(call)
            raise

    async def settle(self, settlements: Sequence[Settlement], owner: str) -> None:
        if settlements:
            await self._store.transact(lambda session: outbox.settle(session, settlements, owner))
            self._housekeeper.passed(len(settlements))

    async def release(self, owner: str, now: datetime) -> int:
        lost = await self._store.transact(lambda session: outbox.release(session, [owner], now))
        return lost.total()

    async def owners(self) -> Sequence[str]:
        async with self._store.session() as session:
            return [row["owner"] for row in await session.rows("owners")]

    async def next_due(self, endpoint: str) -> datetime | None:
        async with self._store.session() as session:
            due: datetime | None = await session.value("next_due", endpoint)
            return due

    async def receipt(self, delivery_key: str, endpoint: str, receipt: Receipt, now: datetime) -> bool:
        return await self._store.transact(lambda session: outbox.receipt(session, delivery_key, endpoint, receipt, now))

    # ---- several nodes -----------------------------------------------------------------------------------------------------------

    async def join(self, node: str, lease: float) -> None:
        await self._store.transact(lambda session: members.join(session, node, lease))

    async def beat(self, node: str, lease: float) -> Sequence[str] | None:
        async with self._store.session() as session:
            return await members.beat(session, node, lease)

    async def bury(self, now: datetime) -> Mapping[str, int]:
        return await self._store.transact(lambda session: members.bury(session, now))

    async def leave(self, node: str, now: datetime) -> None:
        await self._store.transact(lambda session: members.leave(session, node, now))

    async def nodes(self) -> Sequence[Seen]:
        async with self._store.session() as session:
            return await members.nodes(session)

    async def ring(self, topics: AbstractSet[str]) -> None:
        await self._bell.ring(topics)

    async def listen(self, rung: Callable[[str], None]) -> None:
        await self._bell.listen(rung)

    # ---- people ------------------------------------------------------------------------------------------------------------------

    async def redeliver(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        return await self._store.transact(lambda session: acts.redeliver(session, delivery_ids, Act(by, why, now)))

    async def abandon(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        return await self._store.transact(lambda session: acts.abandon(session, delivery_ids, Act(by, why, now)))

    async def reprocess(
        self, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], *, by: str, why: str, now: datetime
    ) -> Sequence[str]:
        act = Act(by, why, now)
        return await self._store.transact(lambda session: acts.reprocess(session, message_id, result, planned, act))

    # ---- archive -----------------------------------------------------------------------------------------------------------------

    async def find(self, query: Query) -> Sequence[Stored]:
        async with self._store.session() as session:
            return await archive.find(session, query)

    async def story(self, any_id: str) -> Story | None:
        return await self._store.look(lambda session: archive.story(session, any_id))

    async def message(self, message_id: str) -> Message | None:
        async with self._store.session() as session:
            return await archive.message(session, message_id)

    async def piece(self, message_id: str, start: int, length: int) -> bytes:
        async with self._store.session() as session:
            return await archive.piece(session, message_id, start, length)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        async with self._store.session() as session:
            return await archive.delivery(session, delivery_id)

    async def answers(self, event_id: str, subscription: str) -> Sequence[Answer]:
        async with self._store.session() as session:
            return await archive.answers(session, event_id, subscription)

    async def deliveries(self, *, state: DeliveryState, endpoint: str = "", before: int = 0, limit: int = 50) -> Sequence[StoredDelivery]:
        async with self._store.session() as session:
            return await archive.deliveries(session, state, endpoint, before, limit)

    async def tallies(self) -> Sequence[Tally]:
        async with self._store.session() as session:
            return await archive.tallies(session)
