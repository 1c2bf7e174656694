"""The contract suite of clients: what the courier may rely on, whatever the endpoint is. Shipped, so that anyone can certify theirs.

A connector brings a *stand*: its client, connected to a real endpoint that does what the test says. In a test module::

    @pytest.mark.parametrize("clause", clauses("takes", "refuses", "down", "slow", "dies"), ids=clause_name)
    async def test_contract(clause, stand):
        await clause(stand)

A clause raises ``AssertionError`` with one sentence. Nothing here needs pytest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, Protocol

from msgspec import Struct

from isthmus.connectors.port import Client
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Reject, Retry, Unknown

Behaviour = Literal["takes", "refuses", "down", "slow", "dies"]
"""takes: does what it is asked · refuses: says no, for good · down: cannot be reached · slow: reachable, but answers nothing
within the test's time-out (whether it acts is its own affair) · dies: acts, then breaks off without an answer."""

MARKER = "Zzyzx"
"""A stand puts this into the body of its deliveries, in the place of a patient's name: it must never come back in a text."""

ENOUGH = 10.0
"""Seconds for what should work at once."""
BRIEF = 0.4
"""Seconds of patience with an endpoint that is slow."""
SLACK = 3.0
"""Seconds by which a call may overrun its time-out on a busy machine."""


class Stand(Protocol):
    """A client and the endpoint behind it, in the hands of a test."""

    client: Client
    """Built, not opened."""

    def delivery(self, key: str) -> Delivery:
        """Something that the endpoint takes: complete with id, and with ``MARKER`` in its body."""
        ...

    async def behave(self, behaviour: Behaviour) -> None:
        """From now on; returns when it is so."""
        ...

    async def effects(self, delivery: Delivery) -> int:
        """How often this delivery took effect, as the endpoint itself sees it."""
        ...


Clause = Callable[[Stand], Awaitable[None]]


class Unlimited:
    """A budget without a limit."""

    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:  # noqa: ARG002 (part of the port)
        yield


def clauses(*able: Behaviour) -> tuple[Clause, ...]:
    """The clauses that an endpoint with these behaviours can show."""
    return tuple(clause for clause, needs in _CLAUSES if needs <= set(able))


def clause_name(clause: object) -> str:
    """For the ids of a parametrised test."""
    return str(getattr(clause, "__name__", clause))


# ---- the clauses ---------------------------------------------------------------------------------------------------------------


async def states_its_limits(stand: Stand) -> None:
    """``max_batch`` and ``in_flight`` are known before it is opened."""
    _expect(stand.client.max_batch >= 1, "max_batch is at least 1")
    _expect(stand.client.in_flight >= 1, "in_flight is at least 1")


async def delivers_with_a_receipt(stand: Stand) -> None:
    """What was taken is ``Delivered``, with a proof."""
    async with _opened(stand) as client:
        delivery = stand.delivery("one")
        outcome = await _send(client, delivery)
        _expect(isinstance(outcome, Delivered) and outcome.receipts != (), f"Delivered with a receipt, not {outcome}")
        _expect(await stand.effects(delivery) == 1, "one delivery, one effect")


async def keeps_the_order_of_a_batch(stand: Stand) -> None:
    """One outcome per delivery, in their order, up to ``max_batch``."""
    async with _opened(stand) as client:
        batch = [stand.delivery(f"batch-{number}") for number in range(min(client.max_batch, 20))]
        outcomes = await client.send(batch, ENOUGH)
        _expect(len(outcomes) == len(batch), f"{len(batch)} outcomes, not {len(outcomes)}")
        for delivery, outcome in zip(batch, outcomes, strict=True):
            _expect(isinstance(outcome, Delivered), f"Delivered, not {outcome}")
            _expect(await stand.effects(delivery) == 1, "one delivery, one effect")


async def sends_side_by_side(stand: Stand) -> None:
    """``in_flight`` sends at once, and more than that one after the other, do not disturb each other."""
    async with _opened(stand) as client:
        deliveries = [stand.delivery(f"side-{number}") for number in range(min(client.in_flight, 8) + 1)]
        outcomes = await asyncio.gather(*(_send(client, delivery) for delivery in deliveries))
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            _expect(isinstance(outcome, Delivered), f"Delivered, not {outcome}")
            _expect(await stand.effects(delivery) == 1, "one delivery, one effect")


async def sends_twice_with_one_effect(stand: Stand) -> None:
    """The same delivery, sent again after it was delivered, is delivered and changes nothing."""
    async with _opened(stand) as client:
        delivery = stand.delivery("twice")
        await _send(client, delivery)
        outcome = await _send(client, delivery)
        _expect(isinstance(outcome, Delivered), f"Delivered, not {outcome}")
        _expect(await stand.effects(delivery) == 1, "sent twice, one effect")


async def reports_a_refusal(stand: Stand) -> None:
    """A no for good is ``Reject`` with a reason code; nothing happened; the next delivery is not harmed."""
    async with _opened(stand) as client:
        delivery = stand.delivery("refused")
        await stand.behave("refuses")
        outcome = await _send(client, delivery)
        _expect(isinstance(outcome, Reject) and outcome.code != "", f"Reject with a code, not {outcome}")
        _expect(await stand.effects(delivery) == 0, "refused, no effect")
        await stand.behave("takes")
        after = await _send(client, stand.delivery("after-refusal"))
        _expect(isinstance(after, Delivered), f"Delivered after a refusal, not {after}")


async def tells_nothing_of_the_body(stand: Stand) -> None:
    """No text of an outcome quotes what was sent or what came back."""
    async with _opened(stand) as client:
        delivery = stand.delivery("silent")
        await stand.behave("refuses")
        _expect(MARKER.encode() in delivery.body, "the stand puts MARKER into its bodies")
        _expect(MARKER not in repr(await _send(client, delivery)), "an outcome quotes the body")


async def retries_what_was_never_sent(stand: Stand) -> None:
    """Down is ``Retry``, for it certainly had no effect; when the endpoint is back, the same client delivers."""
    async with _opened(stand) as client:
        await stand.behave("down")
        delivery = stand.delivery("down")
        outcome = await _send(client, delivery)
        _expect(isinstance(outcome, Retry) and outcome.code != "", f"Retry with a code, not {outcome}")
        await stand.behave("takes")
        _expect(await stand.effects(delivery) == 0, "down, no effect")
        again = await _send(client, delivery)
        _expect(isinstance(again, Delivered), f"Delivered when it is back, not {again}")
        _expect(await stand.effects(delivery) == 1, "one effect")


async def notices_a_restart(stand: Stand) -> None:
    """A connection that died while idle costs nothing: the next delivery is delivered, not unknown."""
    async with _opened(stand) as client:
        await _send(client, stand.delivery("before"))
        await stand.behave("down")
        await stand.behave("takes")
        delivery = stand.delivery("after")
        outcome = await _send(client, delivery)
        _expect(isinstance(outcome, Delivered), f"Delivered after a restart, not {outcome}")
        _expect(await stand.effects(delivery) == 1, "one effect")


async def pings(stand: Stand) -> None:
    """``ping`` returns when it is there and raises ``Transient`` when it is down."""
    async with _opened(stand) as client:
        await client.ping(ENOUGH)
        await stand.behave("down")
        try:
            await client.ping(ENOUGH)
        except Transient:
            return
        raise AssertionError("ping raises Transient when the endpoint is down")


async def keeps_its_time(stand: Stand) -> None:
    """A slow endpoint costs the time-out, no more, and its outcome is unknown; checking and sending again ends in one effect."""
    async with _opened(stand) as client:
        await stand.behave("slow")
        delivery = stand.delivery("slow")
        began = asyncio.get_running_loop().time()
        outcome = (await client.send([delivery], BRIEF))[0]
        took = asyncio.get_running_loop().time() - began
        _expect(took < BRIEF + SLACK, f"a time-out of {BRIEF} s took {took:.1f} s")
        _expect(isinstance(outcome, Unknown), f"Unknown, not {outcome}")
        await stand.behave("takes")
        await _settle(stand, client, delivery)


async def checks_what_is_unknown(stand: Stand) -> None:
    """It acted and died without an answer: unknown, never Retry. After ``check`` (and perhaps a second send): one effect."""
    async with _opened(stand) as client:
        await stand.behave("dies")
        delivery = stand.delivery("dies")
        outcome = await _send(client, delivery)
        _expect(isinstance(outcome, Unknown) and outcome.code != "", f"Unknown with a code, not {outcome}")
        await stand.behave("takes")
        _expect(await stand.effects(delivery) == 1, "the stand did not hurt: it must act before it dies")
        await _settle(stand, client, delivery)


async def checks_nothing_into_being(stand: Stand) -> None:
    """``check`` of something that was never sent has no effect and does not say ``Delivered``."""
    async with _opened(stand) as client:
        delivery = stand.delivery("never-sent")
        outcome = await client.check(delivery, ENOUGH)
        _expect(not isinstance(outcome, Delivered), "check says Delivered of something that was never sent")
        _expect(await stand.effects(delivery) == 0, "check itself has an effect")


async def refuses_a_strange_question(stand: Stand) -> None:
    """A lookup that the endpoint does not know is ``Rejected``, not a crash."""
    async with _opened(stand) as client:
        lookup = Lookup(endpoint="stand", name="no such question", answer=_Nothing)
        try:
            await client.look(lookup, ENOUGH)
        except Rejected:
            return
        raise AssertionError("look raises Rejected for a question that it does not know")


async def closes_and_opens_again(stand: Stand) -> None:
    """``close`` may be called twice, and ``open`` makes it work again."""
    client = stand.client
    await client.open()
    await client.close()
    await client.close()
    async with _opened(stand):
        outcome = await _send(client, stand.delivery("reopened"))
        _expect(isinstance(outcome, Delivered), f"Delivered after it was opened again, not {outcome}")


_CLAUSES: tuple[tuple[Clause, set[str]], ...] = (
    (states_its_limits, set()),
    (delivers_with_a_receipt, {"takes"}),
    (keeps_the_order_of_a_batch, {"takes"}),
    (sends_side_by_side, {"takes"}),
    (sends_twice_with_one_effect, {"takes"}),
    (reports_a_refusal, {"takes", "refuses"}),
    (tells_nothing_of_the_body, {"refuses"}),
    (retries_what_was_never_sent, {"takes", "down"}),
    (notices_a_restart, {"takes", "down"}),
    (pings, {"takes", "down"}),
    (keeps_its_time, {"takes", "slow"}),
    (checks_what_is_unknown, {"takes", "dies"}),
    (checks_nothing_into_being, {"takes"}),
    (refuses_a_strange_question, {"takes"}),
    (closes_and_opens_again, {"takes"}),
)


# ---- how the courier would do it -----------------------------------------------------------------------------------------------


class _Nothing(Struct):
    pass


def _expect(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


@asynccontextmanager
async def _opened(stand: Stand) -> AsyncIterator[Client]:
    await stand.client.open()
    try:
        yield stand.client
    finally:
        await stand.client.close()


async def _send(client: Client, delivery: Delivery) -> Outcome:
    (outcome,) = await client.send([delivery], ENOUGH)
    return outcome


async def _settle(stand: Stand, client: Client, delivery: Delivery) -> None:
    checked = await client.check(delivery, ENOUGH)
    if isinstance(checked, Reject):
        return  # a person decides: the honest answer where the target cannot tell
    if not isinstance(checked, Delivered):
        checked = await _send(client, delivery)
    _expect(isinstance(checked, Delivered), f"Delivered in the end, not {checked}")
    _expect(await stand.effects(delivery) == 1, "one effect in the end")
