"""MemoryJournal: the whole port over plain dictionaries. Nothing here awaits, so each method is one transaction by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from datetime import datetime
from typing import Literal, Self

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.core.policy import Lane
from isthmus.journals.memory import acts, archive, members, outbox, stages, upkeep
from isthmus.journals.memory.members import Roll
from isthmus.journals.memory.tables import Tables
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
)
from isthmus.journals.rules import Act
from isthmus.journals.sealing import Keyring


class MemoryJournal:
    """Forgets everything when the process ends; ``close`` and ``open`` again keep it, as a file would.

    The key ring is taken so that all journals are built alike; there is nothing at rest to seal. ``monotonic`` is the time of leases.
    """

    def __init__(self, keyring: Keyring | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._keyring = keyring
        self._monotonic = monotonic
        self._tables = Tables()
        self._roll = Roll()

    def beside(self) -> Self:
        """Another journal over the same store: another node's."""
        return copy(self)

    async def open(self) -> None:
        return

    async def close(self) -> None:
        self._roll.ears[:] = [ear for ear in self._roll.ears if ear[0] is not self]

    async def prune(self, interface: str, before: datetime, now: datetime, limit: int = 10_000) -> Pruned:
        return upkeep.prune(self._tables, interface, before, now, limit)

    async def size(self) -> int:
        return upkeep.size(self._tables)

    async def receive(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        return [stages.receive(self._tables, arrival) for arrival in arrivals]

    async def backlog(self) -> dict[str, int]:
        return stages.backlog(self._tables)

    async def untranslated(self, limit: int, interfaces: AbstractSet[str] | None = None) -> Sequence[Message]:
        return stages.untranslated(self._tables, limit, interfaces)

    async def translated(self, results: Sequence[Translated], now: datetime) -> None:
        stages.translated(self._tables, results, now)

    async def enrol(
        self, subscription: str, types: frozenset[str], *, lane: Lane = "normal", start: Literal["now", "beginning"] = "beginning"
    ) -> Position:
        return stages.enrol(self._tables, subscription, types, lane, start)

    async def upcoming(self, subscription: str, limit: int) -> Sequence[Envelope]:
        return stages.upcoming(self._tables, subscription, limit)

    async def planned(self, subscription: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None = None) -> bool:
        return stages.planned(self._tables, subscription, cursor, results, now, after=after)

    async def stop(self, subscription: str, reason: str, detail: str, now: datetime) -> None:  # noqa: ARG002 - nothing shows when
        kept = self._tables.subscription(subscription)
        kept.stopped, kept.detail = reason, detail

    async def resume(self, subscription: str, now: datetime) -> None:  # noqa: ARG002 - nothing shows when
        kept = self._tables.subscription(subscription)
        kept.stopped, kept.detail = "", ""

    async def positions(self) -> Sequence[Position]:
        return [stages.position(self._tables, kept) for _, kept in sorted(self._tables.subscriptions.items())]

    async def claim(self, endpoint: str, limit: int, now: datetime, owner: str, *, lane: Lane | None = None) -> Sequence[Claimed]:
        return outbox.claim(self._tables, endpoint, limit, now, owner=owner, lane=lane)

    async def settle(self, settlements: Sequence[Settlement], owner: str) -> None:
        outbox.settle(self._tables, settlements, owner)

    async def release(self, owner: str, now: datetime) -> int:
        return outbox.release(self._tables, owner, now)

    async def owners(self) -> Sequence[str]:
        return outbox.owners(self._tables)

    async def next_due(self, endpoint: str) -> datetime | None:
        return outbox.next_due(self._tables, endpoint)

    async def receipt(self, delivery_key: str, endpoint: str, receipt: Receipt, now: datetime) -> bool:
        return outbox.receipt(self._tables, delivery_key, endpoint, receipt, now)

    async def redeliver(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        return acts.redeliver(self._tables, delivery_ids, Act(by, why, now))

    async def abandon(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        return acts.abandon(self._tables, delivery_ids, Act(by, why, now))

    async def reprocess(
        self, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], *, by: str, why: str, now: datetime
    ) -> Sequence[str]:
        return acts.reprocess(self._tables, message_id, result, planned, Act(by, why, now))

    async def find(self, query: Query) -> Sequence[Stored]:
        return archive.find(self._tables, query)

    async def story(self, any_id: str) -> Story | None:
        return archive.story(self._tables, any_id)

    async def message(self, message_id: str) -> Message | None:
        kept = self._tables.messages.get(message_id)
        return kept.message if kept else None

    async def piece(self, message_id: str, start: int, length: int) -> bytes:
        kept = self._tables.messages.get(message_id)
        return kept.message.body[start : start + length] if kept else b""

    async def delivery(self, delivery_id: str) -> Delivery | None:
        kept = self._tables.deliveries.get(delivery_id)
        return kept.delivery if kept else None

    async def answers(self, event_id: str, subscription: str) -> Sequence[Answer]:
        return self._tables.answers.get((event_id, subscription), ())

    async def deliveries(self, *, state: DeliveryState, endpoint: str = "", before: int = 0, limit: int = 50) -> Sequence[StoredDelivery]:
        return archive.deliveries(self._tables, state, endpoint, before, limit)

    async def tallies(self) -> Sequence[Tally]:
        return archive.tallies(self._tables)

    async def join(self, node: str, lease: float) -> None:
        members.join(self._roll, node, lease, self._monotonic())

    async def beat(self, node: str, lease: float) -> Sequence[str] | None:
        return members.beat(self._roll, node, lease, self._monotonic())

    async def bury(self, now: datetime) -> Mapping[str, int]:
        return members.bury(self._roll, self._tables, self._monotonic(), now)

    async def leave(self, node: str, now: datetime) -> None:
        members.leave(self._roll, self._tables, node, now)

    async def nodes(self) -> Sequence[Seen]:
        return members.nodes(self._roll, self._monotonic())

    async def ring(self, topics: AbstractSet[str]) -> None:
        members.ring(self._roll, self, topics)

    async def listen(self, rung: Callable[[str], None]) -> None:
        self._roll.ears.append((self, rung))
