"""Plan: what a message means, as data. Dry run, test, replay, shadow run and diff are ways of calling these functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope, Event, wrap
from isthmus.core.failure import Bug, Failure
from isthmus.core.ids import derive_id
from isthmus.core.interface import Interface, Subscription
from isthmus.core.lookup import Answer, Lookup, Resolve, ResolveAsync, drive, encode_answer, gather, run
from isthmus.core.message import Message
from isthmus.core.site import Site

R = TypeVar("R")


class Plan(Struct, frozen=True, kw_only=True):
    """Everything one message means: what is wrong with it, what happened, what was asked, what would be sent to whom."""

    message: Message
    violations: tuple[Violation, ...] = ()
    events: tuple[Envelope, ...] = ()
    answers: tuple[Answer, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


def translate(interface: Interface[Any], message: Message) -> tuple[Envelope, ...]:
    """Message → events. Raises ``Invalid`` for what the sender got wrong and ``Bug`` for what we did."""
    translator = interface.translator(message.kind)
    if translator is None:
        raise Bug("no-translator", f"interface {interface.name} takes {message.kind} but translates it nowhere")
    document = interface.contract.format.open(message.body)
    if hasattr(document, "message_id"):  # a document that can give claim checks has to know whose parts they are
        document.message_id = message.id
    produced = _blame(f"interface {interface.name}", lambda: translator(document))
    if produced is None or isinstance(produced, Event):
        raise Bug("no-events", f"interface {interface.name}: a translator yields events; this one returns {type(produced).__name__}")
    if isinstance(produced, AsyncIterator):
        raise Bug("translator-asks", f"interface {interface.name}: a translator may ask no questions; ask in the subscription")
    events = _blame(f"interface {interface.name}", lambda: list(produced))
    envelopes = tuple(wrap(event, message) for event in events)
    _unique(f"interface {interface.name}", [(one.type, one.key) for one in envelopes])
    return envelopes


def fan_out(subscription: Subscription[Any], envelope: Envelope, event: Event, resolve: Resolve) -> tuple[Delivery, ...]:
    """Event → deliveries of one subscription; each question is answered by ``resolve``."""
    where = f"subscription {subscription.name}"
    produced = _blame(where, lambda: subscription(event))
    items = _blame(where, lambda: run(gather(produced), resolve) if isinstance(produced, AsyncIterator) else list(produced))
    return _addressed(subscription, envelope, items)


async def fan_out_async(subscription: Subscription[Any], envelope: Envelope, event: Event, resolve: ResolveAsync) -> tuple[Delivery, ...]:
    """Like :func:`fan_out`, for the engine, whose answers take time."""
    where = f"subscription {subscription.name}"
    produced = _blame(where, lambda: subscription(event))
    if not isinstance(produced, AsyncIterator):
        return _addressed(subscription, envelope, _blame(where, lambda: list(produced)))
    try:
        items = await drive(gather(produced), resolve)
    except Failure:
        raise
    except Exception as error:
        raise _bug(where, error) from error
    return _addressed(subscription, envelope, items)


def plan(site: Site, interface: Interface[Any], message: Message, resolve: Resolve) -> Plan:
    """The whole of it in one call, without any I/O but what ``resolve`` does."""
    contract = interface.contract
    violations = contract.check(contract.format.open(message.body))
    if any(one.severity == "error" for one in violations):
        return Plan(message=message, violations=violations)
    answers: dict[str, tuple[Answer, Any]] = {}

    def remember(lookup: Lookup[Any]) -> Any:
        if lookup.id not in answers:
            value = resolve(lookup)
            answers[lookup.id] = (encode_answer(lookup, value), value)
        return answers[lookup.id][1]

    events = translate(interface, message)
    deliveries = tuple(
        delivery
        for envelope in events
        for subscription in site.subscriptions_to(envelope.type)
        for delivery in fan_out(subscription, envelope, site.catalogue.open(envelope), remember)
    )
    return Plan(
        message=message,
        violations=violations,
        events=events,
        answers=tuple(answer for answer, _ in answers.values()),
        deliveries=deliveries,
    )


def _addressed(subscription: Subscription[Any], envelope: Envelope, items: Iterable[Delivery]) -> tuple[Delivery, ...]:
    deliveries = tuple(
        msgspec.structs.replace(
            item,
            id=derive_id("delivery", envelope.id, subscription.name, item.key),
            subscription=subscription.name,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.id,
            ordering_key=item.ordering_key or envelope.ordering_key,
        )
        for item in items
    )
    where = f"subscription {subscription.name}"
    for one in deliveries:
        if one.endpoint != subscription.to.name:
            raise Bug("endpoint", f"{where} is declared to {subscription.to.name} but sends to {one.endpoint}; make two subscriptions")
    _unique(where, [(one.endpoint, one.key) for one in deliveries])
    return deliveries


def _unique(where: str, keys: list[tuple[str, str]]) -> None:
    if len(set(keys)) != len(keys):
        kind = next(kind for kind, key in keys if keys.count((kind, key)) > 1)
        raise Bug(
            "key-twice", f"{where} gives two things of {kind} the same business key in one plan; add what tells them apart to the key"
        )


def _blame(where: str, call: Callable[[], R]) -> R:
    """Whatever interface code raises besides a Failure is a Bug; its text stays out, for it may quote the message."""
    try:
        return call()
    except Failure:
        raise
    except Exception as error:
        raise _bug(where, error) from error


def _bug(where: str, error: Exception) -> Bug:
    trace, line = error.__traceback__, ""
    while trace is not None:
        line = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return Bug("exception", f"{where} raised {type(error).__name__} in {line}")
