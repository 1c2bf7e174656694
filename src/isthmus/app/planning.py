"""Dry run: what the messages of a file mean to a site, without any effect. Used by ``isthmus plan`` and ``isthmus.testing``.

The same pure functions run here as in production; only the answers to lookups come from elsewhere. A failure of one
subscription does not hide the others, as in production.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.app.answers import Answerer, Asked
from isthmus.core import Delivery, Envelope, Failure, Invalid, Plan, Site, fan_out, translate
from isthmus.core.contract import Verdict
from isthmus.engine.triage import Triage
from isthmus.journals.port import Arrival

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""When a dry run's messages arrive; nothing a plan says may depend on it."""


class Trouble(Struct, frozen=True, kw_only=True):
    """A failure on the way: whose fault, where, and what."""

    fault: str
    """``invalid``, ``transient``, ``rejected`` or ``bug``."""
    where: str
    code: str
    detail: str


class DryRun(Struct, frozen=True, kw_only=True):
    """One message's plan, with what was asked and what went wrong."""

    verdict: Verdict
    """What the receiver says to it."""
    reason: str = ""
    """Reason code of what is not taken."""
    plan: Plan
    asked: tuple[Asked, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    ack: bytes = b""
    """The answer that the sender would get."""

    @property
    def ok(self) -> bool:
        return self.verdict == "accepted" and not self.troubles


VERDICTS: dict[str, Verdict] = {"received": "accepted", "invalid": "invalid", "refused": "refused"}


def dry_run(site: Site, body: bytes, *, interface: str = "", answerer: Answerer | None = None) -> DryRun:
    """Plan one message, with the receiver's own triage first. ``interface`` names the one that must take it; else any may."""
    answerer = answerer or Answerer()
    troubles: list[Trouble] = []
    arrival = _arrival(site, body, interface, troubles)
    taker = site.interface(arrival.message.interface)
    if interface and (taker is None or taker.name != interface) and not troubles:
        detail = f"{interface} does not take {arrival.message.kind or 'what cannot be read'}"
        troubles.append(Trouble(fault="invalid", where=f"interface {interface}", code="wrong-interface", detail=detail))
    events: tuple[Envelope, ...] = ()
    if arrival.state == "received" and taker is not None and not troubles:
        try:
            events = translate(taker, arrival.message)
        except Failure as failure:
            troubles.append(_trouble(f"interface {taker.name}", failure))
    deliveries = tuple(_deliveries(site, events, answerer, troubles))
    plan = Plan(message=arrival.message, violations=arrival.violations, events=events, deliveries=deliveries)
    return DryRun(
        verdict=VERDICTS[arrival.state],
        reason=arrival.reason,
        plan=plan,
        asked=tuple(answerer.asked.values()),
        troubles=tuple(troubles),
        ack=arrival.ack,
    )


def as_data(run: DryRun) -> dict[str, Any]:
    """A plan as plain data with stable keys: what ``isthmus plan --json`` prints and ``fixtures/*.plan.json`` hold.

    Ids are left out: they follow from content and business keys, which are here.
    """
    message = run.plan.message
    return {
        "interface": message.interface,
        "kind": message.kind,
        "control_id": message.control_id,
        "verdict": run.verdict,
        "reason": run.reason,
        "violations": [msgspec.to_builtins(one) for one in run.plan.violations],
        "troubles": [msgspec.to_builtins(one) for one in run.troubles],
        "events": [
            {"type": one.type, "version": one.version, "key": one.key, "ordering_key": one.ordering_key, "body": readable(one.body)}
            for one in run.plan.events
        ],
        "lookups": [msgspec.json.decode(msgspec.json.encode(one)) for one in run.asked],
        "deliveries": [
            {
                "endpoint": one.endpoint,
                "subscription": one.subscription,
                "operation": one.operation,
                "key": one.key,
                "ordering_key": one.ordering_key,
                "content_type": one.content_type,
                "body": readable(one.body),
            }
            for one in run.plan.deliveries
        ],
    }


def readable(body: bytes) -> Any:
    """A body for people and diffs: JSON as data, text as a list of its lines, anything else as hexadecimal digits."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"hex": body.hex()}
    return text.replace("\r\n", "\r").replace("\n", "\r").rstrip("\r").split("\r")


def _deliveries(site: Site, events: Sequence[Envelope], answerer: Answerer, troubles: list[Trouble]) -> Iterator[Delivery]:
    for envelope in events:
        for subscription in site.subscriptions_to(envelope.type):
            try:
                yield from fan_out(subscription, envelope, site.catalogue.open(envelope), answerer)
            except Failure as failure:
                troubles.append(_trouble(f"subscription {subscription.name}", failure))


def _arrival(site: Site, body: bytes, interface: str, troubles: list[Trouble]) -> Arrival:
    """What the receiver makes of it: at the source of the named interface, or at the first source where it is taken."""
    named = site.interface(interface)
    if interface and named is None:
        raise Invalid("interface", f"there is no interface {interface}; there are: {', '.join(one.name for one in site.interfaces)}")
    sources = (named.source,) if named else site.sources
    if not sources:
        raise Invalid("no-interface", "this site has no interface that could take a message; write one first")

    def stumbled(source: str, _message_id: str, error: Exception) -> None:
        trouble = Trouble(
            fault="bug", where=f"source {source}", code="exception", detail=f"a contract or format raised {type(error).__name__}"
        )
        if trouble not in troubles:
            troubles.append(trouble)

    triage = Triage(site, stumbled)
    arrivals = [triage.examine(source, body, EPOCH, EPOCH.strftime("%Y%m%d%H%M%S")) for source in sources]
    return next((one for one in arrivals if one.message.interface), arrivals[0])


def _trouble(where: str, failure: Failure) -> Trouble:
    """What happened; with the text of an exception that interface code raised, for a dry run shows what messages hold anyway."""
    cause = failure.__cause__
    text = f": {cause}" if cause is not None and failure.code == "exception" else ""
    return Trouble(fault=type(failure).__name__.lower(), where=where, code=failure.code, detail=failure.detail + text)
