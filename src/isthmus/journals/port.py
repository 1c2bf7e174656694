"""The journal's port: few methods, each one transaction, each taking work in batches.

Adapters (SQLite, PostgreSQL, memory) are certified by the contract suite in ``isthmus.journals.suite``. Times, ids and
randomness are inputs. A method that returns has made its writes durable. What the methods promise:

- ``receive`` keeps only the winners: a message whose id is already there is a duplicate and is answered with the first ACK.
- Every change of state appends to history; hot tables hold only what is due.
- Deliveries of one endpoint and ordering key are claimed one at a time, oldest first. A dead one holds its key (and only its
  key) until it is redelivered or abandoned.
- A claim is durable before it is returned: whatever was claimed by a process that died has an unknown outcome.
- What is handed out with bodies (``untranslated``, ``upcoming``, ``claim``) is bounded twice: by ``limit`` and by ``MOST_BYTES`` of
  bodies, but is always at least one. So a run of large messages costs the memory of one batch, not of hundreds of them.
- What a call costs depends on what it handles, never on how much is stored or waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Outcome, Receipt
from isthmus.core.policy import Lane

MessageState = Literal["received", "translated", "invalid", "refused", "failed"]
"""received: waits for its translator · translated: became events (perhaps none) · invalid: broke its contract ·
refused: no interface takes it, or unreadable · failed: a bug of ours in the translator; waits for a fix and a reprocess."""

DeliveryState = Literal["due", "sending", "unknown", "delivered", "dead", "abandoned", "superseded"]

MOST_BYTES = 16 << 20
"""Bytes of bodies in one batch that is handed out; what goes beyond it waits for the next, but one is always handed out."""

Identifier = tuple[str, str]
"""Kind and value of a business identifier, such as ``("patient", "123")``; the journal keeps only a keyed hash of it."""


# ---- stage 0: the receiver ---------------------------------------------------------------------------------------------------


class Arrival(Struct, frozen=True, kw_only=True):
    """A message with the receiver's verdict on it."""

    message: Message
    state: Literal["received", "invalid", "refused"]
    reason: str = ""
    """Reason code of what was not taken: ``contract``, ``unreadable``, ``no-interface``."""
    violations: tuple[Violation, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    ack: bytes = b""
    """The answer; kept, so that a duplicate gets the same bytes."""


class Accepted(Struct, frozen=True):
    message_id: str
    ack: bytes
    duplicate: bool = False


class Intake(Protocol):
    async def receive(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        """Keep the new ones, recognise the others (also within the batch); answers in the order of ``arrivals``."""
        ...

    async def backlog(self) -> dict[str, int]:
        """Messages that wait for their translator, by interface; costs the same however many they are."""
        ...


# ---- stages 1 and 2: translator and subscriber -------------------------------------------------------------------------------


class Translated(Struct, frozen=True, kw_only=True):
    """What the translator made of one message: events, or a state with its reason."""

    message_id: str
    state: Literal["translated", "invalid", "failed"] = "translated"
    events: tuple[Envelope, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    reason: str = ""
    detail: str = ""
    violations: tuple[Violation, ...] = ()


class Planned(Struct, frozen=True, kw_only=True):
    """What a subscription made of one event."""

    event_id: str
    deliveries: tuple[Delivery, ...] = ()
    answers: tuple[Answer, ...] = ()


class Position(Struct, frozen=True, kw_only=True):
    """Where a subscription stands."""

    subscription: str
    cursor: int
    """``seq`` of the last event it has worked off."""
    waiting: int
    """Events of its types after the cursor; kept as a counter, for counting rows costs more the more wait."""
    stopped: str = ""
    """Reason code when a bug has stopped it; empty while it runs."""
    detail: str = ""


class Stages(Protocol):
    async def untranslated(self, limit: int, interfaces: AbstractSet[str] | None = None) -> Sequence[Message]:
        """The oldest messages in state received, in order of arrival; only those of these interfaces, where they are named."""
        ...

    async def translated(self, results: Sequence[Translated], now: datetime) -> None:
        """Keep events and new states in one transaction. ``Envelope.seq`` orders events as they were committed."""
        ...

    async def enrol(
        self, subscription: str, types: frozenset[str], *, lane: Lane = "normal", start: Literal["now", "beginning"] = "beginning"
    ) -> Position:
        """Make a subscription known (again) and say where it stands; its cursor starts where told, once. What it plans from now on
        waits in ``lane``.
        """
        ...

    async def upcoming(self, subscription: str, limit: int) -> Sequence[Envelope]:
        """The next events of its types after its cursor, oldest first; empty while it is stopped."""
        ...

    async def planned(self, subscription: str, cursor: int, results: Sequence[Planned], now: datetime, *, after: int | None = None) -> bool:
        """Keep deliveries and recorded answers and move the cursor, in one transaction. A known delivery id is kept once.

        ``after``: where the cursor stood when these events were read. If it stands elsewhere by now, another node has worked them
        off: nothing is kept, and False is returned. So the cursor is its own fence, however late a slow node comes.
        """
        ...

    async def stop(self, subscription: str, reason: str, detail: str, now: datetime) -> None:
        """A bug: nothing more is handed to this subscription until ``resume``."""
        ...

    async def resume(self, subscription: str, now: datetime) -> None: ...

    async def positions(self) -> Sequence[Position]: ...


# ---- stage 3: the courier ----------------------------------------------------------------------------------------------------


class Claimed(Struct, frozen=True, kw_only=True):
    delivery: Delivery
    created_at: datetime
    lane: Lane = "normal"
    attempt: int
    """Number of this attempt, from 1."""
    unknown: bool = False
    """The attempt before ended in an unknown outcome: check before sending."""


class Settlement(Struct, frozen=True, kw_only=True):
    """How an attempt ended, and what becomes of the delivery."""

    delivery_id: str
    outcome: Outcome
    state: Literal["delivered", "due", "unknown", "dead"]
    started_at: datetime
    ended_at: datetime
    not_before: datetime | None = None
    """For due and unknown: when to try (or check) again."""
    reason: str = ""
    """For dead: reason code, such as ``rejected``, ``gave-up``."""


class Outbox(Protocol):
    async def claim(self, endpoint: str, limit: int, now: datetime, owner: str, *, lane: Lane | None = None) -> Sequence[Claimed]:
        """Take up to ``limit`` deliveries that are due, at most one per ordering key, and note durably that they are being sent.

        Lane by lane, safety first, and within a lane by the time they became due; or of one ``lane`` only. Lanes order what may go;
        they do not overtake within an ordering key.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement], owner: str) -> None:
        """Attempts and receipts to history, the next of each ordering key becomes due; one transaction."""
        ...

    async def release(self, owner: str, now: datetime) -> int:
        """Lifeline: what an owner that is gone was sending becomes unknown, to be checked; how many that were."""
        ...

    async def owners(self) -> Sequence[str]:
        """Who has claims at present."""
        ...

    async def next_due(self, endpoint: str) -> datetime | None:
        """When the earliest waiting delivery of an endpoint becomes due; None when nothing waits."""
        ...

    async def receipt(self, delivery_key: str, endpoint: str, receipt: Receipt, now: datetime) -> bool:
        """A receipt that arrives later by itself (an application acknowledgement); False when no such delivery is known."""
        ...


# ---- people --------------------------------------------------------------------------------------------------------------------


class Acts(Protocol):
    async def redeliver(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        """Same bytes, same id, once more; only dead, abandoned or delivered ones. Returns those that are due again."""
        ...

    async def abandon(self, delivery_ids: Sequence[str], by: str, why: str, now: datetime) -> Sequence[str]:
        """Give up dead ones for good, with a name and a reason; frees their ordering keys."""
        ...

    async def reprocess(
        self, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], *, by: str, why: str, now: datetime
    ) -> Sequence[str]:
        """Replace what a message meant: new events, and per subscription new deliveries. A delivery whose id exists with the
        same bytes stays as it is; one with other bytes is superseded by a new delivery (``derive_id("reprocess", old id, body)``);
        waiting ones that are planned no more are superseded. Subscriptions do not see the new events again. Returns the new
        deliveries' ids.
        """
        ...


class Stored(Struct, frozen=True, kw_only=True):
    """A message and its state, without its body."""

    id: str
    seq: int
    interface: str
    source: str
    kind: str
    sender: str
    control_id: str
    correlation_id: str
    received_at: datetime
    size: int
    state: MessageState
    reason: str = ""


class StoredDelivery(Struct, frozen=True, kw_only=True):
    id: str
    seq: int
    endpoint: str
    subscription: str
    operation: str
    key: str
    ordering_key: str
    causation_id: str
    correlation_id: str
    created_at: datetime
    state: DeliveryState
    attempts: int
    not_before: datetime | None = None
    reason: str = ""
    behind: str = ""
    """Id of the delivery of the same ordering key that must go first; empty for the head."""


class Step(Struct, frozen=True, kw_only=True):
    """One line of a story: what happened to a message, event or delivery."""

    at: datetime
    subject: str
    """Id of the message, event or delivery."""
    stage: str
    """``received``, ``duplicate``, ``translated``, ``invalid``, ``planned``, ``attempt``, ``receipt``, ``dead``, ``redelivered``, …"""
    code: str = ""
    detail: str = ""
    by: str = ""
    seconds: float | None = None
    """How long an attempt took."""


class Story(Struct, frozen=True, kw_only=True):
    """All that is known of one message, in the order in which it happened."""

    message: Stored
    violations: tuple[Violation, ...]
    events: tuple[Envelope, ...]
    deliveries: tuple[StoredDelivery, ...]
    receipts: tuple[tuple[str, Receipt], ...]
    """Delivery id and receipt."""
    steps: tuple[Step, ...]


class Query(Struct, frozen=True, kw_only=True):
    """What to find; all given parts must hold."""

    identifier: str = ""
    """Value of any business identifier (patient, visit, order, control id …)."""
    interface: str = ""
    kind: str = ""
    state: MessageState | Literal[""] = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0
    """Keyset page: only messages with a smaller ``seq``; 0 begins at the newest."""
    limit: int = 50


class Tally(Struct, frozen=True, kw_only=True):
    """One counter: ``("message", "ehr.adt", "received") → 531``. Counters are kept in the transaction of what they count."""

    noun: Literal["message", "event", "delivery", "attempt", "receipt"]
    name: str
    """Interface for messages, type for events, subscription for deliveries and receipts, endpoint for attempts."""
    state: str
    count: int


class Archive(Protocol):
    async def find(self, query: Query) -> Sequence[Stored]:
        """Newest first."""
        ...

    async def story(self, any_id: str) -> Story | None:
        """The story of the message to which this id (message, event, delivery; a unique prefix of 6 or more is enough) belongs."""
        ...

    async def message(self, message_id: str) -> Message | None:
        """With its original bytes, unless they were pruned (then ``body`` is empty and the story says when)."""
        ...

    async def piece(self, message_id: str, start: int, length: int) -> bytes:
        """A part of a message's original bytes, without reading all the rest: what a claim check stands for. Empty when the body was
        pruned, or when there is no such message; shorter where the body ends.
        """
        ...

    async def delivery(self, delivery_id: str) -> Delivery | None: ...

    async def answers(self, event_id: str, subscription: str) -> Sequence[Answer]: ...

    async def deliveries(self, *, state: DeliveryState, endpoint: str = "", before: int = 0, limit: int = 50) -> Sequence[StoredDelivery]:
        """Newest first, keyset by ``seq``."""
        ...

    async def tallies(self) -> Sequence[Tally]: ...


# ---- upkeep --------------------------------------------------------------------------------------------------------------------


class Pruned(Struct, frozen=True):
    messages: int
    events: int
    deliveries: int
    bytes_freed: int


class Upkeep(Protocol):
    async def open(self) -> None:
        """Connect and migrate; raises ``Rejected`` with the cure where the store is newer than this program."""
        ...

    async def close(self) -> None: ...

    async def prune(self, interface: str, before: datetime, now: datetime, limit: int = 10_000) -> Pruned:
        """Destroy bodies of finished work older than this (messages, their events, deliveries, answers); history stays.
        Never touches what is due, unknown, dead or untranslated. Space is really given back to the file system.
        """
        ...

    async def size(self) -> int:
        """Bytes on disk."""
        ...


class Journal(Upkeep, Intake, Stages, Outbox, Acts, Archive, Protocol):
    """All of it. A loop asks only for the part that it uses."""
