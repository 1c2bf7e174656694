"""Telemetry: what the engine tells about itself, as typed notices.

A notice is made at the place where something happened and knows its log line, its counters and their labels; metrics are
counted nowhere else. Loops tell one notice per batch, never one per message. No notice holds a body, a name or an
identifier from a message: ids of our own, reason codes and numbers only.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

from msgspec import Struct

Level = Literal["debug", "info", "warning", "error"]
Labels = tuple[tuple[str, str], ...]


class Notice(Struct, frozen=True, kw_only=True):
    """Something that happened. ``error`` notices are what a person is paged for."""

    level: ClassVar[Level] = "info"
    text: ClassVar[str] = ""
    """The log line, with the notice's fields in braces."""
    labels: ClassVar[tuple[str, ...]] = ()
    """Fields by which its counters are told apart; each has few values."""
    counts: ClassVar[tuple[str, ...]] = ()
    """Numeric fields that are added up; a notice without any counts itself, once."""

    def line(self) -> str:
        return self.text.format_map({name: getattr(self, name) for name in self.__struct_fields__})

    def counters(self) -> Iterator[tuple[str, Labels, int]]:
        """Name, labels and what to add: ``messages_received_accepted``, ``(("source", "clinical"),)``, 12."""
        labels = tuple((name, str(getattr(self, name))) for name in self.labels)
        noun = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        if not self.counts:
            yield noun, labels, 1
        for name in self.counts:
            if value := getattr(self, name):
                yield f"{noun}_{name}", labels, value


Notify = Callable[[Notice], None]

Busy = Literal["backlog", "memory", "journal"]
"""Why a sender was told to come back: its interface's backlog, too many bytes in memory, the journal away."""


class MessagesReceived(Notice, frozen=True, kw_only=True):
    """A batch of one source is durable and answered."""

    level = "debug"
    text = "{source}: {accepted} accepted, {invalid} invalid, {refused} refused, {duplicates} duplicates"
    labels = ("source",)
    counts = ("accepted", "invalid", "refused", "duplicates")
    source: str
    accepted: int = 0
    invalid: int = 0
    refused: int = 0
    duplicates: int = 0


class MessagesTurnedAway(Notice, frozen=True, kw_only=True):
    """Answered ``busy`` and not kept: the sender has to send them again."""

    level = "warning"
    text = "{source}: {messages} messages answered busy and not kept ({reason}); the sender keeps them and will send again"
    labels = ("source", "reason")
    counts = ("messages",)
    source: str
    reason: Busy
    messages: int


class SourceSlowed(Notice, frozen=True, kw_only=True):
    level = "warning"
    text = "{source} is paused: {reason}"
    labels = ("source", "reason")
    source: str
    reason: Literal["backlog", "journal"]


class SourceDropped(Notice, frozen=True, kw_only=True):
    """Below the message: bytes that are none, a frame that broke off or is too large, a sender that was not let in."""

    level = "warning"
    text = "{source}: {times} x {code}; its sender holds no AA for it. See the reason codes, and ask the sender"
    labels = ("source", "code")
    source: str
    code: str
    times: int


class SourceResumed(Notice, frozen=True, kw_only=True):
    text = "{source} is read again"
    labels = ("source",)
    source: str


class ReceptionFailed(Notice, frozen=True, kw_only=True):
    """Format or contract code raised something of its own: our bug, the message is kept and refused."""

    level = "error"
    text = "{source}: a contract or format raised {error} on message {message_id}; it is kept and refused, reprocess it after the fix"
    labels = ("source",)
    source: str
    message_id: str
    error: str


class AnswerFailed(Notice, frozen=True, kw_only=True):
    """A source raised when it was told to answer: a bug of the connector."""

    level = "error"
    text = "{source} raised {error} when it was to answer a sender; the message is as durable as told, the sender will send it again"
    labels = ("source",)
    source: str
    error: str


class MessagesTranslated(Notice, frozen=True, kw_only=True):
    level = "debug"
    text = "{translated} messages translated into {events} events, {invalid} invalid, {failed} failed"
    counts = ("translated", "invalid", "failed", "events")
    translated: int = 0
    invalid: int = 0
    failed: int = 0
    events: int = 0


class TranslatorFailed(Notice, frozen=True, kw_only=True):
    level = "error"
    text = "interface {interface}: {code}: {detail} ({messages} messages, the first is {message_id}); mend it, then reprocess them"
    labels = ("interface", "code")
    counts = ("messages",)
    interface: str
    code: str
    detail: str
    message_id: str
    messages: int


class EventsPlanned(Notice, frozen=True, kw_only=True):
    level = "debug"
    text = "subscription {subscription}: {events} events became {deliveries} deliveries"
    labels = ("subscription",)
    counts = ("events", "deliveries")
    subscription: str
    events: int
    deliveries: int


class EventUnplannable(Notice, frozen=True, kw_only=True):
    """A question was rejected: the event became a dead letter in place of its deliveries."""

    level = "error"
    text = "subscription {subscription}: event {event_id} cannot be planned: {code}; it is a dead letter, mend its cause, then reprocess"
    labels = ("subscription", "code")
    subscription: str
    event_id: str
    code: str


class SubscriptionDelayed(Notice, frozen=True, kw_only=True):
    level = "warning"
    text = "subscription {subscription} waits {pause:.1f} s: {code}"
    labels = ("subscription", "code")
    subscription: str
    code: str
    pause: float


class SubscriptionStopped(Notice, frozen=True, kw_only=True):
    level = "error"
    text = "subscription {subscription} stopped at event {event_id}: {code}: {detail}; nothing is skipped, mend it, then resume it"
    labels = ("subscription", "code")
    subscription: str
    event_id: str
    code: str
    detail: str


class SubscriptionOrphaned(Notice, frozen=True, kw_only=True):
    level = "error"
    text = "{waiting} events wait for subscription {subscription}, which this site no longer declares; declare it again or rename it back"
    labels = ("subscription",)
    subscription: str
    waiting: int


class ReceiptUnmatched(Notice, frozen=True, kw_only=True):
    """An application acknowledgement for something that we have no record of having sent."""

    level = "warning"
    text = "{endpoint} acknowledged a delivery that is not known here {event_id}"
    labels = ("endpoint",)
    endpoint: str
    event_id: str = ""
    """Of the event that says so; empty when it came on a connection."""


class AttemptsSettled(Notice, frozen=True, kw_only=True):
    level = "debug"
    text = "{endpoint}: {delivered} delivered, {due} to try again, {unknown} unknown, {dead} dead"
    labels = ("endpoint",)
    counts = ("delivered", "due", "unknown", "dead")
    endpoint: str
    delivered: int = 0
    due: int = 0
    unknown: int = 0
    dead: int = 0


class DeliveriesDied(Notice, frozen=True, kw_only=True):
    level = "error"
    text = "{endpoint}: {deliveries} dead letters ({reason}: {code}), the first is {delivery_id}; mend, then redeliver or abandon"
    labels = ("endpoint", "reason", "code")
    counts = ("deliveries",)
    endpoint: str
    reason: str
    code: str
    delivery_id: str
    deliveries: int


class BreakerMoved(Notice, frozen=True, kw_only=True):
    level = "warning"
    text = "breaker of {endpoint} is {state}: {code}"
    labels = ("endpoint", "state")
    endpoint: str
    state: str
    code: str


class EndpointPaused(Notice, frozen=True, kw_only=True):
    """Its client is broken or wrongly configured: a person has to act; we look again after the pause."""

    level = "error"
    text = "endpoint {endpoint} is paused for {pause:.0f} s: {code}: {detail}"
    labels = ("endpoint", "code")
    endpoint: str
    code: str
    detail: str
    pause: float


class ClaimsReleased(Notice, frozen=True, kw_only=True):
    level = "warning"
    text = "{claims} deliveries that {owner} was sending have an unknown outcome now and will be checked"
    counts = ("claims",)
    owner: str
    claims: int


class NodesChanged(Notice, frozen=True, kw_only=True):
    """A node joined, left or was buried."""

    text = "{node} sees {nodes} nodes"
    node: str
    nodes: int


class LeaseLapsed(Notice, frozen=True, kw_only=True):
    """Nothing is claimed or sent by this node until its lease is held again."""

    level = "warning"
    text = "the lease of {node} has lapsed, for the journal did not answer: nothing is claimed or sent until it does"
    node: str


class NodeBuried(Notice, frozen=True, kw_only=True):
    """Its work was taken over while it was paused or cut off."""

    level = "warning"
    text = "{node} was paused or cut off for longer than its lease and was taken over; it joins again under a new incarnation"
    node: str


class BodiesPruned(Notice, frozen=True, kw_only=True):
    text = "interface {interface}: bodies of {messages} messages, {events} events and {deliveries} deliveries pruned, {bytes_freed} bytes"
    labels = ("interface",)
    counts = ("messages", "events", "deliveries", "bytes_freed")
    interface: str
    messages: int
    events: int
    deliveries: int
    bytes_freed: int


class LoopRestarted(Notice, frozen=True, kw_only=True):
    level = "warning"
    text = "{loop}: {code}: {detail}; again in {pause:.1f} s"
    labels = ("loop", "code")
    loop: str
    code: str
    detail: str
    pause: float


class EngineFailed(Notice, frozen=True, kw_only=True):
    level = "error"
    text = "the engine stops, for {loop} met a bug: {code}: {detail}"
    labels = ("loop", "code")
    loop: str
    code: str
    detail: str


class Meters:
    """A hook that adds up the counters of every notice it hears; read by the status, the demo and an exporter."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Labels]] = Counter()

    def __call__(self, notice: Notice) -> None:
        for name, labels, value in notice.counters():
            self.counts[name, labels] += value

    def total(self, name: str, **labels: str) -> int:
        """The sum over all counters of this name that carry these labels."""
        wanted = set(labels.items())
        return sum(value for (one, having), value in self.counts.items() if one == name and wanted <= set(having))


def logged(logger: logging.Logger) -> Notify:
    """A hook that writes each notice's line at its level."""
    levels: dict[Level, int] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

    def write(notice: Notice) -> None:
        level = levels[notice.level]
        if logger.isEnabledFor(level):
            logger.log(level, "%s", notice.line())

    return write


def told(*hooks: Callable[[Any], None]) -> Notify:
    """One hook out of several."""

    def tell(notice: Notice) -> None:
        for hook in hooks:
            hook(notice)

    return tell
