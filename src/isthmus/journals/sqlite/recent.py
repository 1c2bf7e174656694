"""What was kept last, still at hand: the next stage takes it from here and need not read it back from the file and unseal it.

A ``seq`` is never given twice and what stands under it never changes, so whoever finds a seq in the file may take the thing from
here. The file says what there is; this only saves the reading.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.message import Message

T = TypeVar("T")

MOST_BYTES = 4 << 20
"""Of bodies, of each kind: what the next stage takes within a second or two at full load."""
OVERHEAD = 1_000
"""Bytes that a thing takes beside its body."""


class Recent(Generic[T]):
    """The writer's thread puts in; any thread looks."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[T, int]] = {}
        self._bytes = 0

    def keep(self, seq: int, one: T, size: int) -> None:
        size += OVERHEAD
        self._kept[seq] = (one, size)
        self._bytes += size
        while self._bytes > MOST_BYTES:
            oldest = next(iter(self._kept))
            self._bytes -= self._kept.pop(oldest)[1]

    def get(self, seq: int) -> T | None:
        found = self._kept.get(seq)
        return None if found is None else found[0]


class Recents(NamedTuple):
    messages: Recent[Message]
    events: Recent[Envelope]
    deliveries: Recent[tuple[Delivery, datetime]]
    """And when it was made."""


def nothing_recent() -> Recents:
    return Recents(Recent(), Recent(), Recent())
