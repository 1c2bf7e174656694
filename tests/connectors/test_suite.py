"""The contract suite can fail: one honest client in memory passes every clause, and each lie is caught by the clause that forbids it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from isthmus.connectors.suite import MARKER, Behaviour, Clause, clause_name, clauses
from isthmus.core import Delivered, Delivery, Lookup, Outcome, Receipt, Reject, Rejected, Retry, Transient, Unknown

EVERYTHING = clauses("takes", "refuses", "down", "slow", "dies")
RECEIPT = (Receipt("application", "ok"),)


class Honest:
    """A client whose endpoint is a list."""

    max_batch = 3
    in_flight = 2

    def __init__(self) -> None:
        self.behaviour: Behaviour = "takes"
        self.effects: list[str] = []
        self.opened = False

    async def open(self) -> None:
        self.opened = True

    async def close(self) -> None:
        self.opened = False

    def act(self, delivery: Delivery) -> None:
        if delivery.id not in self.effects:
            self.effects.append(delivery.id)

    async def send(self, deliveries: Sequence[Delivery], timeout: float) -> Sequence[Outcome]:
        assert self.opened
        return [await self.one(delivery, timeout) for delivery in deliveries]

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        match self.behaviour:
            case "down":
                return Retry("connect")
            case "refuses":
                return Reject("no")
            case "slow":
                await asyncio.sleep(timeout)
                return Unknown("timeout")
            case "dies":
                self.act(delivery)
                return Unknown("lost")
            case _:
                self.act(delivery)
                return Delivered(RECEIPT)

    async def check(self, delivery: Delivery, timeout: float) -> Outcome:
        return Delivered(RECEIPT) if delivery.id in self.effects else Retry("absent")

    async def look(self, lookup: Lookup[Any], timeout: float) -> object:
        raise Rejected("lookup")

    async def ping(self, timeout: float) -> None:
        if self.behaviour == "down":
            raise Transient("connect")


class Stand:
    def __init__(self, client: Honest) -> None:
        self.client = client

    def delivery(self, key: str) -> Delivery:
        return Delivery(endpoint="stand", operation="do", key=key, body=MARKER.encode(), id=key)

    async def behave(self, behaviour: Behaviour) -> None:
        self.client.behaviour = behaviour

    async def effects(self, delivery: Delivery) -> int:
        return self.client.effects.count(delivery.id)


@pytest.mark.parametrize("clause", EVERYTHING, ids=clause_name)
async def test_an_honest_client_passes(clause: Clause) -> None:
    await clause(Stand(Honest()))


class NoBatch(Honest):
    max_batch = 0


class NoReceipt(Honest):
    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        outcome = await super().one(delivery, timeout)
        return Delivered(()) if isinstance(outcome, Delivered) else outcome


class Forgetful(Honest):
    """Sends the first of a batch only."""

    async def send(self, deliveries: Sequence[Delivery], timeout: float) -> Sequence[Outcome]:
        return [await self.one(deliveries[0], timeout)]


class Doubling(Honest):
    def act(self, delivery: Delivery) -> None:
        self.effects.append(delivery.id)


class DoublingUnderLoad(Honest):
    """Two at once get in each other's way."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        if self.busy:
            return Retry("busy")
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        return await super().one(delivery, timeout)


class Lying(Honest):
    """Says yes to whatever the endpoint says."""

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        await super().one(delivery, timeout)
        return Delivered(RECEIPT)


class Talkative(Honest):
    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        outcome = await super().one(delivery, timeout)
        return msgspec.structs.replace(outcome, detail=delivery.body.decode()) if isinstance(outcome, Reject) else outcome


class Timid(Honest):
    """Takes a refused connection for an unknown outcome."""

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        outcome = await super().one(delivery, timeout)
        return Unknown("connect") if isinstance(outcome, Retry) else outcome


class Rash(Honest):
    """Takes an unknown outcome for none."""

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        outcome = await super().one(delivery, timeout)
        return Retry("again") if isinstance(outcome, Unknown) else outcome


class Patient(Honest):
    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        return await super().one(delivery, timeout + 4)


class Stale(Honest):
    """Uses its old connection after a restart."""

    went = False

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        outcome = Unknown("lost") if self.went else await super().one(delivery, timeout)
        self.went = False
        return outcome


class Cheerful(Honest):
    async def ping(self, timeout: float) -> None:
        return


class Credulous(Honest):
    async def check(self, delivery: Delivery, timeout: float) -> Outcome:
        return Delivered(RECEIPT)


class Blind(Honest):
    """Checks nothing, and its endpoint does not deduplicate."""

    def act(self, delivery: Delivery) -> None:
        self.effects.append(delivery.id)

    async def check(self, delivery: Delivery, timeout: float) -> Outcome:
        return Retry("resend")


class Inventive(Honest):
    async def look(self, lookup: Lookup[Any], timeout: float) -> object:
        return object()


class Once(Honest):
    """Cannot be opened again."""

    async def open(self) -> None:
        self.opened = not hasattr(self, "closed")

    async def close(self) -> None:
        self.closed = True
        self.opened = False

    async def one(self, delivery: Delivery, timeout: float) -> Outcome:
        return await super().one(delivery, timeout) if self.opened else Retry("closed")


@pytest.mark.parametrize(
    ("client", "clause"),
    [
        (NoBatch, "states_its_limits"),
        (NoReceipt, "delivers_with_a_receipt"),
        (Forgetful, "keeps_the_order_of_a_batch"),
        (DoublingUnderLoad, "sends_side_by_side"),
        (Doubling, "sends_twice_with_one_effect"),
        (Lying, "reports_a_refusal"),
        (Talkative, "tells_nothing_of_the_body"),
        (Timid, "retries_what_was_never_sent"),
        (Lying, "retries_what_was_never_sent"),
        (Cheerful, "pings"),
        (Patient, "keeps_its_time"),
        (Rash, "keeps_its_time"),
        (Rash, "checks_what_is_unknown"),
        (Blind, "checks_what_is_unknown"),
        (Credulous, "checks_nothing_into_being"),
        (Inventive, "refuses_a_strange_question"),
        (Once, "closes_and_opens_again"),
    ],
)
async def test_a_lie_is_caught(client: type[Honest], clause: str) -> None:
    (broken,) = (one for one in EVERYTHING if clause_name(one) == clause)
    with pytest.raises(AssertionError):
        await broken(Stand(client()))


async def test_a_restart_that_costs_an_outcome_is_caught() -> None:
    stand = Stand(Stale())

    async def behave(behaviour: Behaviour) -> None:
        stand.client.behaviour = behaviour
        stand.client.went = behaviour == "takes"  # type: ignore[attr-defined]

    stand.behave = behave  # type: ignore[method-assign]
    (broken,) = (one for one in EVERYTHING if clause_name(one) == "notices_a_restart")
    with pytest.raises(AssertionError):
        await broken(stand)


def test_a_stand_gets_the_clauses_that_it_can_show() -> None:
    assert {clause_name(one) for one in clauses("takes")} < {clause_name(one) for one in EVERYTHING}
    assert len(EVERYTHING) == 15
