"""Queues: what is here of a broker's messages, one queue per ordering key; of each, one is on its way through the receiver. Pure.

A message is handed over when all before it under its key are in the journal. So whatever the receiver does, turning one away while it
takes the next, the journal has them in the broker's order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Held(Struct, Generic[T]):
    """A message that is here and not yet settled with the broker."""

    place: int
    """Where it stands in the broker's order; unique among those that are here."""
    key: str
    """Messages with the same one keep their order; others go side by side."""
    body: bytes
    settle: T
    """By which the broker is told what became of it."""


class Queues(Generic[T]):
    def __init__(self) -> None:
        self._waiting: dict[str, deque[Held[T]]] = {}
        """The first of each is the one whose turn it is, or which is on its way."""
        self._next: deque[str] = deque()
        """Keys whose first message may be handed over, in the order in which they became so."""
        self._here: dict[int, Held[T]] = {}

    def __len__(self) -> int:
        return len(self._here)

    def __iter__(self) -> Iterator[Held[T]]:
        return iter(self._here.values())

    def add(self, held: Held[T]) -> None:
        """One that is here already was sent again: it is the same message."""
        known = self._here.get(held.place)
        if known is not None:
            known.settle = held.settle
            return
        self._here[held.place] = held
        queue = self._waiting.setdefault(held.key, deque())
        queue.append(held)
        if len(queue) == 1:
            self._next.append(held.key)

    def take(self) -> Held[T] | None:
        """The next that may be handed over; it counts as on its way until ``done`` or ``again``."""
        return self._waiting[self._next.popleft()][0] if self._next else None

    def done(self, held: Held[T]) -> None:
        queue = self._waiting[held.key]
        queue.popleft()
        del self._here[held.place]
        if queue:
            self._next.append(held.key)
        else:
            del self._waiting[held.key]

    def again(self, held: Held[T]) -> None:
        """It was turned away: it goes first when its key has its next turn."""
        self._next.appendleft(held.key)
