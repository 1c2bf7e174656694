"""Replay: what people do with what is kept.

*Redeliver* sends the same bytes under the same id once more. *Reprocess* runs today's code on a kept message: it is previewed
as a diff first, and only what was shown is applied. The two are never mixed: a retry or a redelivery plans nothing anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import structs

from isthmus.core.contract import Violation
from isthmus.core.event import Envelope
from isthmus.core.failure import Bug, Invalid, Rejected, Transient
from isthmus.core.ids import derive_id
from isthmus.core.interface import Interface, Subscription
from isthmus.core.lookup import Answer, Lookup, decode_answer
from isthmus.core.message import Message
from isthmus.core.plan import translate
from isthmus.core.policy import Lane
from isthmus.core.pseudonym import ENDPOINT
from isthmus.core.site import Site
from isthmus.engine.answers import Answers, NotAtHand
from isthmus.engine.clock import Clock
from isthmus.engine.diff import Diff, Standing, delivery_changes, event_changes
from isthmus.engine.planning import Planning
from isthmus.engine.triage import formats
from isthmus.engine.unplannable import dead_letter
from isthmus.journals.port import Journal, Planned, Story, Translated

Which = Literal["recorded", "fresh"]
"""recorded: questions get the answers of then, new ones are asked · fresh: all are asked anew."""

_UNFINISHED = ("due", "sending", "unknown", "dead")
"""States among which a delivery moves by itself while a person reads a preview; a reprocess treats them alike."""


class Replay:
    def __init__(self, site: Site, journal: Journal, answers: Answers, *, clock: Clock, due: Callable[[], None]) -> None:
        """``due`` is called when deliveries have become due."""
        self._site = site
        self._journal = journal
        self._answers = answers
        self._clock = clock
        self._due = due
        self._formats = formats(site)

    async def redeliver(self, delivery_ids: Sequence[str], *, by: str, why: str) -> Sequence[str]:
        """Same bytes, same id, once more; returns those that are due again (dead, abandoned and delivered ones may be)."""
        again = await self._journal.redeliver(delivery_ids, by, why, self._clock.now())
        if again:
            self._due()
        return again

    async def preview(self, message_id: str, answers: Which = "recorded") -> Diff:
        """What reprocessing would change. Raises ``Rejected`` where that cannot be said, ``Transient`` where not now, and ``Bug``
        where a subscription's code still fails.
        """
        story, message = await self._known(message_id)
        result = self._result(message)
        planned: dict[str, Sequence[Planned]] = {}
        asked_anew = 0
        for envelope in result.events:
            for subscription in self._site.subscriptions_to(envelope.type):
                resolver = _Remembering(self._answers, await self._recorded(envelope, subscription) if answers == "recorded" else {})
                one = await self._planned(subscription, envelope, resolver)
                planned[subscription.name] = (*planned.get(subscription.name, ()), one)
                asked_anew += resolver.asked
        standing = await self._standing(story)
        return Diff(
            message_id=message.id,
            old_state=story.message.state,
            new_state=result.state,
            reason=result.reason,
            detail=result.detail,
            violations=result.violations,
            events=tuple(event_changes(story.events, result.events)),
            deliveries=tuple(delivery_changes(standing, [one for plans in planned.values() for plan in plans for one in plan.deliveries])),
            asked_anew=asked_anew,
            digest=_digest(story),
            result=result,
            planned=planned,
        )

    async def apply(self, preview: Diff, *, by: str, why: str) -> Sequence[str]:
        """Keep exactly what the preview showed; returns the ids of new deliveries. Raises ``Rejected`` when the journal has moved on."""
        story, _ = await self._known(preview.message_id)
        if _digest(story) != preview.digest:
            raise Rejected("preview-outdated", "the message's events or deliveries have changed since the preview: look at a new one")
        fresh = await self._journal.reprocess(
            preview.message_id, preview.result, dict(preview.planned), by=by, why=why, now=self._clock.now()
        )
        self._due()
        return fresh

    async def _known(self, message_id: str) -> tuple[Story, Message]:
        story = await self._journal.story(message_id)
        message = await self._journal.message(story.message.id) if story else None
        if story is None or message is None:
            raise Rejected("no-such-message", "the journal holds nothing under this id")
        if not message.body:
            raise Rejected("body-pruned", "its body was pruned by the interface's policy, so it cannot be read again")
        if story.message.state == "received":
            raise Rejected("not-translated", "it still waits for its translator, which will use today's code anyway")
        return story, message

    def _result(self, message: Message) -> Translated:
        """Receiver and translator in one, by today's code: what was unreadable or unwanted then may be neither now."""
        try:
            interface, today = self._routed(message)
            contract = interface.contract
            document = contract.format.open(message.body)
            identifiers, violations = contract.format.identifiers(document), contract.check(document)
            if any(one.severity == "error" for one in violations):
                return Translated(message_id=message.id, state="invalid", reason="contract", violations=violations, identifiers=identifiers)
            return Translated(message_id=message.id, events=translate(interface, today), violations=violations, identifiers=identifiers)
        except Invalid as failure:
            violations = (Violation("", failure.code, failure.detail),)
            return Translated(message_id=message.id, state="invalid", reason=failure.code, detail=failure.detail, violations=violations)
        except Bug as failure:
            return Translated(message_id=message.id, state="failed", reason=failure.code, detail=failure.detail)

    def _routed(self, message: Message) -> tuple[Interface[Any], Message]:
        spoken = self._formats.get(message.source)
        if spoken is None:
            raise Rejected("source-gone", f"no interface of this site listens to {message.source} any more: declare one")
        kind = spoken.header(message.body).kind
        interface = self._site.route(message.source, kind)
        if interface is None:
            raise Rejected("no-interface", f"no interface of {message.source} takes its kind: declare one, or leave it refused")
        return interface, structs.replace(message, interface=interface.name, kind=kind)

    async def _planned(self, subscription: Subscription[Any], envelope: Envelope, resolver: _Remembering) -> Planned:
        (result,) = await Planning(subscription, self._site.catalogue, resolver).plan([envelope])
        if isinstance(result, Planned):
            return result
        if isinstance(result, Transient | Bug):
            raise result
        return Planned(event_id=envelope.id, deliveries=(dead_letter(envelope, subscription.name, subscription.to.name, result),))

    async def _recorded(self, envelope: Envelope, subscription: Subscription[Any]) -> dict[str, Answer]:
        return {one.lookup_id: one for one in await self._journal.answers(envelope.id, subscription.name)}

    async def _standing(self, story: Story) -> list[Standing]:
        found: list[Standing] = []
        for stored in story.deliveries:
            delivery = await self._journal.delivery(stored.id) if stored.state != "superseded" else None
            if delivery is not None:
                found.append(Standing(delivery, stored.state))
        return found


class _Remembering:
    """Gives the recorded answers; what was never asked is asked now, and counted."""

    def __init__(self, answers: Answers, recorded: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._recorded = recorded
        self.asked = 0

    def at_hand(self, lookup: Lookup[Any]) -> Any:
        recorded = self._recorded.get(lookup.id)
        if recorded is not None:
            return decode_answer(lookup, recorded)
        if lookup.endpoint == ENDPOINT:
            return self._answers.at_hand(lookup)
        raise NotAtHand

    async def ask(self, questions: tuple[Lookup[Any], ...], lane: Lane = "normal") -> tuple[Any, ...]:
        return tuple([await self._one(lookup, lane) for lookup in questions])

    async def _one(self, lookup: Lookup[Any], lane: Lane) -> Any:
        try:
            return self.at_hand(lookup)
        except NotAtHand:
            self.asked += 1
            return await self._answers.one(lookup, lane)


def _digest(story: Story) -> str:
    """Of what a preview was compared with. Unfinished deliveries move while a person reads: no change."""
    parts: list[str | bytes] = [story.message.state]
    for event in story.events:
        parts += [event.id, event.body]
    for delivery in sorted(story.deliveries, key=lambda one: one.id):
        parts += [delivery.id, "unfinished" if delivery.state in _UNFINISHED else delivery.state]
    return derive_id("preview", *parts)
