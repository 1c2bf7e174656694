"""What the memory journal remembers: plain dictionaries of mutable records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct, field

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.core.policy import Lane
from isthmus.journals.port import DeliveryState, MessageState, Step
from isthmus.journals.rules import HELD, UNFINISHED, Noun


class KeptMessage(Struct):
    message: Message
    seq: int
    state: MessageState
    reason: str
    ack: bytes
    size: int
    violations: tuple[Violation, ...]
    pruned: bool = False


class KeptEvent(Struct):
    envelope: Envelope
    message_id: str
    fed: bool
    """False for events of a reprocess and pruned ones: no subscription sees them."""
    superseded: bool = False


class KeptDelivery(Struct):
    delivery: Delivery
    seq: int
    rank: int
    """Place among those of its ordering key: its own ``seq``, or that of the delivery it supersedes."""
    message_id: str
    created_at: datetime
    ready_at: datetime
    lane: Lane = "normal"
    state: DeliveryState = "due"
    attempts: int = 0
    not_before: datetime | None = None
    reason: str = ""
    owner: str = ""
    check: bool = False
    """The attempt before ended in an unknown outcome."""
    replaced: bool = False
    """Superseded by a reprocess while it was in the courier's hands; takes effect when its outcome is known."""
    successor: str = ""
    pruned: bool = False

    @property
    def age(self) -> tuple[int, int]:
        return (self.rank, self.seq)


class KeptSubscription(Struct):
    name: str
    types: frozenset[str]
    lane: Lane
    cursor: int
    stopped: str = ""
    detail: str = ""


class Tables(Struct):
    messages: dict[str, KeptMessage] = field(default_factory=dict)
    events: list[KeptEvent] = field(default_factory=list)
    deliveries: dict[str, KeptDelivery] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[Answer, ...]] = field(default_factory=dict)
    subscriptions: dict[str, KeptSubscription] = field(default_factory=dict)
    identifiers: dict[str, set[str]] = field(default_factory=dict)
    """Value of a business identifier to the ids of the messages that carry it."""
    receipts: list[tuple[str, Receipt]] = field(default_factory=list)
    steps: list[tuple[str, Step]] = field(default_factory=list)
    """Message id and what happened; in the order in which it was kept."""
    tallies: Counter[tuple[Noun, str, str]] = field(default_factory=Counter)

    def note(self, message_id: str, step: Step) -> None:
        self.steps.append((message_id, step))

    def identify(self, message_id: str, values: Iterator[str]) -> None:
        for value in values:
            if value:
                self.identifiers.setdefault(value, set()).add(message_id)

    def move_message(self, kept: KeptMessage, state: MessageState, reason: str) -> None:
        self.tallies["message", kept.message.interface, kept.state] -= 1
        self.tallies["message", kept.message.interface, state] += 1
        kept.state, kept.reason = state, reason

    def move(self, kept: KeptDelivery, state: DeliveryState, reason: str = "") -> None:
        """A delivery's new state; whatever belonged to the old one (owner, time, reason) goes."""
        self.tallies["delivery", kept.delivery.subscription, kept.state] -= 1
        self.tallies["delivery", kept.delivery.subscription, state] += 1
        kept.state, kept.reason, kept.owner, kept.not_before = state, reason, "", None

    def current_event(self, event_id: str) -> KeptEvent | None:
        return next((one for one in reversed(self.events) if one.envelope.id == event_id), None)

    def delivery(self, delivery_id: str) -> KeptDelivery:
        kept = self.deliveries.get(delivery_id)
        if kept is None:
            raise Bug("unknown-delivery", f"the journal holds no delivery {delivery_id}")
        return kept

    def subscription(self, name: str) -> KeptSubscription:
        kept = self.subscriptions.get(name)
        if kept is None:
            raise Bug("not-enrolled", f"subscription {name} is unknown to the journal: enrol it first")
        return kept

    def lane(self, subscription: str) -> Lane:
        kept = self.subscriptions.get(subscription)
        return kept.lane if kept else "normal"

    def waiting(self, subscription: KeptSubscription) -> list[Envelope]:
        return [
            one.envelope
            for one in self.events
            if one.fed and not one.superseded and one.envelope.seq > subscription.cursor and one.envelope.type in subscription.types
        ]

    def head(self, kept: KeptDelivery) -> KeptDelivery:
        """Who must go before everyone else of this delivery's ordering key; the delivery itself where nobody must."""
        key = kept.delivery.ordering_key
        if not key or kept.state not in UNFINISHED:
            return kept
        line = [
            one
            for one in self.deliveries.values()
            if one.state in UNFINISHED and one.delivery.endpoint == kept.delivery.endpoint and one.delivery.ordering_key == key
        ]
        return min(line, key=lambda one: (one.state not in HELD, one.age))
