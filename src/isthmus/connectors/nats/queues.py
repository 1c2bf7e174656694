"""Queues: what is here of a stream, one queue per ordering key; of each, one message is on its way through the receiver. Pure.

A message is handed over when all before it under its key are in the journal. So whatever the receiver does, turning one away while it
takes the next, the journal has them in the stream's order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct


class Held(Struct):
    """A message that is here and not yet acknowledged."""

    sequence: int
    key: str
    subject: str
    body: bytes
    reply: str
    """Where it is acknowledged."""


class Queues:
    def __init__(self) -> None:
        self._waiting: dict[str, deque[Held]] = {}
        """The first of each is the one whose turn it is, or which is on its way."""
        self._next: deque[str] = deque()
        """Keys whose first message may be handed over, in the order in which they became so."""
        self._here: dict[int, Held] = {}

    def __len__(self) -> int:
        return len(self._here)

    def __iter__(self) -> Iterator[Held]:
        return iter(self._here.values())

    def add(self, held: Held) -> None:
        """One that is here already was sent again: it is the same message."""
        known = self._here.get(held.sequence)
        if known is not None:
            known.reply = held.reply
            return
        self._here[held.sequence] = held
        queue = self._waiting.setdefault(held.key, deque())
        queue.append(held)
        if len(queue) == 1:
            self._next.append(held.key)

    def take(self) -> Held | None:
        """The next that may be handed over; it counts as on its way until ``done`` or ``again``."""
        return self._waiting[self._next.popleft()][0] if self._next else None

    def done(self, held: Held) -> None:
        queue = self._waiting[held.key]
        queue.popleft()
        del self._here[held.sequence]
        if queue:
            self._next.append(held.key)
        else:
            del self._waiting[held.key]

    def again(self, held: Held) -> None:
        """It was turned away: it goes first when its key has its next turn."""
        self._next.appendleft(held.key)

    def clear(self) -> None:
        self._waiting.clear()
        self._next.clear()
        self._here.clear()
