"""Planning: the events of one subscription become deliveries; what they ask is fetched together, outside any transaction.

An event is planned at once when its questions can be answered in process. The function of a subscription is pure, so an
event that asks for more is simply planned again from its beginning, together with its neighbours, while answers are fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from isthmus.core.delivery import Delivery
from isthmus.core.event import Catalogue, Envelope, Event
from isthmus.core.failure import Bug, Failure
from isthmus.core.interface import Subscription
from isthmus.core.lookup import Answer, Lookup, encode_answer
from isthmus.core.plan import fan_out, fan_out_async
from isthmus.core.policy import Lane, policy_for
from isthmus.core.pseudonym import ENDPOINT
from isthmus.engine.answers import NotAtHand
from isthmus.journals.port import Planned


class Resolver(Protocol):
    """Who answers the questions: the engine's ``Answers``, or a replay's memory."""

    def at_hand(self, lookup: Lookup[Any]) -> Any:
        """The answer, if it takes no I/O; raises ``NotAtHand``."""
        ...

    async def ask(self, questions: tuple[Lookup[Any], ...], lane: Lane = "normal") -> tuple[Any, ...]:
        """Answers in the order of the questions, asked in this lane; raises ``Transient``, ``Rejected`` or ``Bug``."""
        ...


class Planning:
    """``plan`` never raises a failure: it returns it in the place of the event that met it."""

    def __init__(self, subscription: Subscription[Any], catalogue: Catalogue, answers: Resolver) -> None:
        self.subscription = subscription
        self._catalogue = catalogue
        self._answers = answers
        self._lane: Lane = policy_for(subscription.classification).lane

    async def plan(self, envelopes: Sequence[Envelope]) -> Sequence[Planned | Failure]:
        results = [self._at_hand(envelope) for envelope in envelopes]
        if None not in results:
            return [one for one in results if one is not None]
        fetched = iter(
            await asyncio.gather(*(self._fetched(envelope) for envelope, one in zip(envelopes, results, strict=True) if one is None))
        )
        return [next(fetched) if one is None else one for one in results]

    def _at_hand(self, envelope: Envelope) -> Planned | Failure | None:
        recorded = _Recorded()

        def resolve(lookup: Lookup[Any]) -> Any:
            return recorded.keep(lookup, self._answers.at_hand(lookup))

        try:
            event = self._open(envelope)
            return _planned(envelope, fan_out(self.subscription, envelope, event, resolve), recorded)
        except NotAtHand:
            return None
        except Failure as failure:
            return failure

    async def _fetched(self, envelope: Envelope) -> Planned | Failure:
        recorded = _Recorded()

        async def resolve(questions: tuple[Lookup[Any], ...]) -> tuple[Any, ...]:
            found = await self._answers.ask(questions, self._lane)
            return tuple(recorded.keep(lookup, answer) for lookup, answer in zip(questions, found, strict=True))

        try:
            event = self._open(envelope)
            return _planned(envelope, await fan_out_async(self.subscription, envelope, event, resolve), recorded)
        except Failure as failure:
            return failure

    def _open(self, envelope: Envelope) -> Event:
        try:
            return self._catalogue.open(envelope)
        except Failure:
            raise
        except Exception as error:
            detail = f"{envelope.type} version {envelope.version} does not fit its class any more: give the changed class a new version"
            raise Bug("event-decode", detail) from error


class _Recorded:
    """The answers that one event was planned with. Pseudonyms are left out: they can be made again from the site's keys, and an
    answer's id, a plain hash of the question, must not become a way to try identifiers out.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}

    def keep(self, lookup: Lookup[Any], value: Any) -> Any:
        if lookup.endpoint != ENDPOINT:
            answer = encode_answer(lookup, value)
            self.answers[answer.lookup_id] = answer
        return value


def _planned(envelope: Envelope, deliveries: tuple[Delivery, ...], recorded: _Recorded) -> Planned:
    return Planned(event_id=envelope.id, deliveries=deliveries, answers=tuple(recorded.answers.values()))
