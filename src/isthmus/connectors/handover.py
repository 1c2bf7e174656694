"""Handover: from a broker's consumer to the receiver, in order; a message is settled with the broker when the journal holds it.

What is not handed over yet stays in the broker's order. What is turned away, because the backlog is full, goes back to its place and is
offered again after a rest. What was refused is in the journal with its reason, so it is settled like what was taken.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from isthmus.connectors.answer import what_it_says
from isthmus.connectors.port import Accept, Reply

T = TypeVar("T")

REST = 1.0
"""Seconds until a message that was turned away is offered again."""

Place = tuple[int, ...]
"""Where a message stands in the broker's order; unique among those that are here."""


class Handover(Generic[T]):
    """One source's. ``settle`` is called once for each message that is durable."""

    def __init__(self, source: str, peer: str, counts: Counter[str], settle: Callable[[T], None]) -> None:
        self._source = source
        self._peer = peer
        self._counts = counts
        self._settle = settle
        self._accept: Accept | None = None
        self._held: list[tuple[Place, bytes, T]] = []
        self._open: dict[Place, None] = {}
        self._answered = asyncio.Event()
        self._paused = False
        self._resting: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """Messages that are here and not handed over."""
        return len(self._held)

    @property
    def unanswered(self) -> int:
        """Messages that were handed over and are not answered."""
        return len(self._open)

    def start(self, accept: Accept) -> None:
        self._accept = accept

    def take(self, place: Place, body: bytes, message: T) -> None:
        insort(self._held, (place, body, message), key=_place)
        self._pump()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._pump()

    def forget(self) -> None:
        """What was not handed over stays the broker's: it comes again."""
        self._held.clear()

    async def stop(self) -> None:
        """Hand over nothing more; returns when everything that was handed over has been answered."""
        self._accept = None
        self.forget()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        await self.answered()

    async def answered(self) -> None:
        """Until everything that was handed over has been answered."""
        while self._open:
            self._answered.clear()
            await self._answered.wait()

    def _pump(self) -> None:
        while self._held and self._accept is not None and not self._paused and self._resting is None:
            place, body, message = self._held.pop(0)
            self._open[place] = None
            self._accept(self._source, body, self._peer, self._reply(place, body, message))

    def _reply(self, place: Place, body: bytes, message: T) -> Reply:
        def reply(answer: bytes | None, taken: bool) -> None:
            self._open.pop(place, None)
            said = what_it_says(answer, taken)
            if said != "taken":
                self._counts[said] += 1
            if said != "busy":
                self._settle(message)
            elif self._accept is not None:
                insort(self._held, (place, body, message), key=_place)
                self._rest()
            self._answered.set()

        return reply

    def _rest(self) -> None:
        if self._resting is None:
            self._resting = asyncio.get_running_loop().call_later(REST, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self._pump()


def _place(held: tuple[Place, bytes, T]) -> Place:
    return held[0]
