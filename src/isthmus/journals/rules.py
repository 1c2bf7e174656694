"""Rules of the port that every adapter follows, said once: codes of attempts, what counts as the same bytes, states by their meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final, Literal, TypeVar

from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject
from isthmus.journals.port import MOST_BYTES, DeliveryState, MessageState, Step

T = TypeVar("T")

Noun = Literal["message", "event", "delivery", "attempt", "receipt"]

UNFINISHED: Final[tuple[DeliveryState, ...]] = ("due", "sending", "unknown", "dead")
HELD: Final[tuple[DeliveryState, ...]] = ("sending", "unknown", "dead")
"""Unfinished states in which a delivery keeps all others of its ordering key waiting, whatever their age."""
REDELIVERABLE: Final[tuple[DeliveryState, ...]] = ("dead", "abandoned", "delivered")
LIVE_MESSAGES: Final[tuple[MessageState, ...]] = ("received", "failed")
"""Still wait for a translator; never pruned."""

SHORTEST_PREFIX: Final = 6
"""Characters of an id that are enough to name it, if nothing else begins with them."""


class Act(Struct, frozen=True):
    """Who does something by hand, why and when."""

    by: str
    why: str
    at: datetime


def same_bytes(one: Delivery, other: Delivery) -> bool:
    """Whether the endpoint would receive the same from both."""
    return (one.operation, one.content_type, one.body) == (other.operation, other.content_type, other.body)


def same_event(one: Envelope, other: Envelope) -> bool:
    return (one.body, one.version, one.ordering_key) == (other.body, other.version, other.ordering_key)


def attempt_tag(outcome: Outcome) -> str:
    """Under which state an attempt is counted: delivered, retry, reject, unknown.

    Two more are counted without an outcome: ``lost`` (its owner died), ``too-late`` (settled by one who no longer owned it).
    """
    return type(outcome).__name__.lower()


def attempt_code(outcome: Outcome) -> tuple[str, str]:
    """An attempt's code and detail, as its step shows them."""
    if isinstance(outcome, Delivered):
        return ("unchanged" if outcome.unchanged else "delivered", "")
    return outcome.code, outcome.detail


def receipts_of(outcome: Outcome) -> tuple[Receipt, ...]:
    return outcome.receipts if isinstance(outcome, Delivered | Reject) else ()


def receipt_step(delivery_id: str, receipt: Receipt, at: datetime) -> Step:
    return Step(at=at, subject=delivery_id, stage="receipt", code=receipt.kind, detail=f"{receipt.code} {receipt.reference}".rstrip())


def one_batch(found: Iterable[T], size: Callable[[T], int]) -> Iterator[T]:
    """As many as fit into ``MOST_BYTES``, and the first in any case."""
    room = MOST_BYTES
    for number, one in enumerate(found):
        room -= size(one)
        if number and room < 0:
            return
        yield one
