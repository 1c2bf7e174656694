"""What a connector offers to the engine: sources that take messages in, clients that carry deliveries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, runtime_checkable

from isthmus.core.claim import ReadPiece
from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Outcome
from isthmus.core.policy import Lane

Said = Literal["taken", "refused", "busy"]
"""taken: durable and good · refused: durable too, with its reason; not to be sent again · busy: not kept, it may come again later."""

Reply = Callable[[bytes | None, Said], None]
"""Called once, when the message is durable or turned away: the answer (None: the sender asked for none), and what became of it."""

Accept = Callable[[str, bytes, str, Reply], None]
"""``accept(source, body, peer, reply)``: hand one message to the receiver. Never blocks, never raises; no task, no future."""


Examine = Callable[[str, bytes], tuple[Violation, ...]]
"""``examine(source, body)``: what the receiver would find wrong with a message, without keeping it; errors first, as its answer has them."""


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


@runtime_checkable
class Exclusive(Protocol):
    """A source that only one node at a time may read, where several share a journal: a folder, not a socket. May be started again
    after ``stop``.
    """

    exclusive: bool


@runtime_checkable
class Examines(Protocol):
    """A source that asks what is wrong with a message before it hands it over; the engine tells it, before its start, whom to ask."""

    def examine_with(self, examine: Examine) -> None: ...


class NoTurn(Transient):
    """A call's turn did not come in time, or the node may not send any more (``no-turn``, ``lease-lapsed``): it was not begun."""


class Budget(Protocol):
    """What the target allows (calls a second, calls in flight), shared by all flows that go there."""

    def call(self, lane: Lane = "normal") -> AbstractAsyncContextManager[None]:
        """Hold this around each call to the target; it waits for its turn, lane by lane. Raises ``NoTurn``: a client that has
        made no call before it in the same ``send`` or ``check`` may let it pass to the courier.
        """
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
        """Is it there? Raises ``Transient`` or ``Rejected``. Asked by an open breaker and by ``isthmus doctor``,
        in the safety lane of the budget, for all lanes wait for the answer.
        """
        ...


@runtime_checkable
class Redeems(Protocol):
    """A client that sends what claim checks stand for, in pieces; the engine tells it, once, where to read them."""

    def redeem_from(self, read: ReadPiece) -> None: ...
