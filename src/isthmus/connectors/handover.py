"""Handover: from a broker's consumer to the receiver, each ordering key in its order; settled with the broker when the journal holds it.

What is turned away, because the backlog is full, is offered again after a rest, and nothing of its key overtakes it. What was refused is
in the journal with its reason, so it is settled like what was taken.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Generic, TypeVar

from isthmus.connectors.port import Accept, Reply, Said
from isthmus.connectors.queues import Held, Queues

T = TypeVar("T")

REST = 1.0
"""Seconds until a message that was turned away is offered again."""


class Handover(Generic[T]):
    """One source's. ``settle`` is called once for each message that is durable and still ours to settle; ``refuse`` in its place for one
    that the receiver refused, where the broker has a word for that.
    """

    def __init__(
        self, source: str, peer: str, counts: Counter[str], settle: Callable[[T], None], refuse: Callable[[T], None] | None = None
    ) -> None:
        self._source = source
        self._peer = peer
        self._counts = counts
        self._settle = settle
        self._refuse = refuse or settle
        self._accept: Accept | None = None
        self._queues: Queues[T] = Queues()
        self._places = count()
        self._unanswered = 0
        self._answered = asyncio.Event()
        self._paused = self._pumping = False
        self._resting: asyncio.TimerHandle | None = None

    @property
    def here(self) -> int:
        """Messages that are here and not settled."""
        return len(self._queues)

    def __iter__(self) -> Iterator[T]:
        """The messages that are here and not settled."""
        return (held.settle for held in self._queues)

    def start(self, accept: Accept) -> None:
        self._accept = accept

    def take(self, key: str, body: bytes, message: T, place: int | None = None) -> None:
        """One more of the broker's, in its order. ``key``: its ordering key; empty where it has none, then it goes side by side.
        ``place``: its number at the broker, by which one that is here already is known when it is sent again.
        """
        place = next(self._places) if place is None else place
        self._queues.add(Held(place, key or f" {place}", body, message))
        self._pump()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._pump()

    def begin_anew(self) -> None:
        """The connection is another one: whatever is here stays the broker's, and comes again."""
        self._queues = Queues()

    async def answered(self) -> None:
        """Until everything that was handed over has been answered."""
        while self._unanswered:
            self._answered.clear()
            await self._answered.wait()

    async def stop(self) -> None:
        """Hand over nothing more; returns when everything that was handed over has been answered."""
        self._accept = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        await self.answered()

    def _pump(self) -> None:
        """Hand over what may be, oldest first. A reply may come at once, and calls this again: one of us is enough."""
        if self._pumping:
            return
        self._pumping = True
        while self._accept is not None and not self._paused and self._resting is None and (held := self._queues.take()) is not None:
            self._unanswered += 1
            self._accept(self._source, held.body, self._peer, self._reply(held, self._queues))
        self._pumping = False

    def _reply(self, held: Held[T], queues: Queues[T]) -> Reply:
        def reply(_answer: bytes | None, said: Said) -> None:
            self._unanswered -= 1
            self._answered.set()
            if said != "taken":
                self._counts[said] += 1
            if said == "busy":
                queues.again(held)
                self._rest()
                return
            queues.done(held)
            if queues is self._queues:
                (self._settle if said == "taken" else self._refuse)(held.settle)
            self._pump()

        return reply

    def _rest(self) -> None:
        if self._resting is None and self._accept is not None:
            self._resting = asyncio.get_running_loop().call_later(REST, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self._pump()
