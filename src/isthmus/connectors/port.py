"""What a connector offers to the engine: sources that take messages in, clients that carry deliveries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from isthmus.core.delivery import Delivery
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Outcome
from isthmus.core.policy import Lane

Reply = Callable[[bytes | None, bool], None]
"""Called once, when the message is durable or refused: the answer (None: the sender asked for none), and whether it was taken."""

Accept = Callable[[str, bytes, str, Reply], None]
"""``accept(source, body, peer, reply)``: hand one message to the receiver. Never blocks, never raises; no task, no future."""


class Source(Protocol):
    """Where messages come in."""

    name: str
    counts: Counter[str]
    """What went wrong below the message, by reason code: noise between frames, a frame without end, a sender not let in."""

    async def start(self, accept: Accept) -> None: ...

    def pause(self) -> None:
        """Stop reading from senders: the backlog is full. Nothing that was read is dropped."""
        ...

    def resume(self) -> None: ...

    async def stop(self) -> None:
        """Take nothing more; returns when every message that was handed over has been answered."""
        ...


class Budget(Protocol):
    """What the target allows (calls a second, calls in flight), shared by all flows that go there."""

    def call(self, lane: Lane = "normal") -> AbstractAsyncContextManager[None]:
        """Hold this around each call to the target; it waits for its turn, the safety lane first."""
        ...


class Client(Protocol):
    """How deliveries reach one endpoint. Built by the composition root; opened, closed and driven by the courier."""

    max_batch: int
    """How many deliveries one ``send`` may carry."""
    in_flight: int
    """How many ``send`` calls may run at once."""

    async def open(self) -> None:
        """Get ready; raises ``Transient`` (down) or ``Rejected`` (wrong configuration: says which key and the cure)."""
        ...

    async def close(self) -> None: ...

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        """One outcome per delivery, in their order. Whatever the target does becomes an outcome: it raises nothing but bugs.
        The same delivery sent twice has one effect wherever the target's protocol allows it. ``lane`` is theirs, for the budget.
        """
        ...

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        """After an unknown outcome: ``Delivered`` if the effect is there, ``Retry`` if it is surely not and sending again is
        safe, ``Unknown`` if that cannot be said now, ``Reject`` if it can never be said (a person decides).
        """
        ...

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        """Answer a question with an instance of ``lookup.answer``; raises ``Transient`` or ``Rejected``."""
        ...

    async def ping(self, timeout: float) -> None:
        """Is it there? Raises ``Transient`` or ``Rejected``. Asked by an open breaker and by ``isthmus doctor``."""
        ...
