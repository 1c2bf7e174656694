"""The balance sheet: what came in, what became of it, and whether it adds up. Pure.

The journal's counters are kept in the transactions of what they count. They are set against what was seen outside of it (answers
that senders hold, effects that happened twice in a target), for a journal cannot testify for itself. The JSON form of
:class:`Balance` is what ``isthmus balance --json``, ``isthmus run --json`` and ``isthmus demo --json`` print; its keys are a promise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from msgspec import Struct, field

from isthmus.core import Site
from isthmus.core.outcome import ReceiptKind
from isthmus.journals.port import DeliveryState, Position, Tally

UNSETTLED: tuple[DeliveryState, ...] = ("due", "sending", "unknown")


class InterfaceSheet(Struct, kw_only=True):
    """The messages of one interface, each in exactly one state."""

    received: int = 0
    """Different messages that are kept: the sum of the five below."""
    translated: int = 0
    invalid: int = 0
    refused: int = 0
    failed: int = 0
    """Accepted, but a bug of ours kept them from being translated; they wait for a fix."""
    waiting: int = 0
    """Accepted, not yet translated."""
    duplicates: int = 0
    """Sent once more, answered once more, kept once."""
    acknowledged: int = 0
    """Different messages whose sender was told that they are good: all but the invalid and the refused."""


class SubscriptionSheet(Struct, kw_only=True):
    """What one subscription sent, or has yet to send."""

    endpoint: str = ""
    events_waiting: int = 0
    stopped: str = ""
    deliveries: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(DeliveryState), 0))
    """Deliveries by state."""
    receipts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(ReceiptKind), 0))
    """Receipts by kind; a delivery may have several."""


class Totals(Struct, kw_only=True):
    """The sheet in one line: sums over all interfaces and subscriptions."""

    received: int
    acknowledged: int
    invalid: int
    refused: int
    duplicates: int
    events: int
    deliveries: dict[str, int]
    """By state."""
    receipts: dict[str, int]
    """By kind; ``business``: the effect was seen in the target."""


class Outside(Struct, frozen=True, kw_only=True):
    """What was seen outside the journal since ``before``."""

    answered: int
    """Messages to which senders hold an answer (AA, AE, AR, 2xx, 4xx), the ones sent twice counted twice, ``busy`` not counted."""
    before: tuple[Tally, ...] = ()
    """The journal's counters when the counting of answers began."""
    duplicated: Mapping[str, int] = {}
    """By endpoint: effects that are there more often than they were meant."""


class Balance(Struct, kw_only=True):
    """The whole sheet."""

    site: str
    totals: Totals
    interfaces: dict[str, InterfaceSheet]
    """By name; ``(none)`` holds what no interface takes."""
    events: dict[str, int]
    """Events by type."""
    subscriptions: dict[str, SubscriptionSheet]
    attempts: dict[str, dict[str, int]]
    """By endpoint, how its attempts ended."""
    open: int
    """Messages, events and deliveries that are still on their way."""
    dead: int
    """Deliveries that wait for a person."""
    lost: int
    """Answered messages that the journal does not hold. Anything but 0 is a disaster."""
    duplicated: int
    """Effects that happened more often than they were meant."""
    balances: bool
    """Nothing lost, nothing duplicated, every count in its place."""
    problems: list[str]
    """Why it does not balance, and what else a person should know; in words."""


def balance(site: Site, tallies: Sequence[Tally], positions: Sequence[Position], outside: Outside | None = None) -> Balance:
    """Set up the sheet from the journal's counters, where subscriptions stand, and what was seen outside."""
    interfaces, subscriptions = _interfaces(site, tallies), _subscriptions(site, tallies, positions)
    attempts: dict[str, dict[str, int]] = defaultdict(dict)
    events: dict[str, int] = defaultdict(int)
    for one in tallies:
        if one.noun == "attempt":
            attempts[one.name][one.state] = one.count
        elif one.noun == "event" and one.state == "kept":
            events[one.name] += one.count
    lost = max(0, outside.answered - (held(tallies) - held(outside.before))) if outside else 0
    duplicated = sum(outside.duplicated.values()) if outside else 0
    mistakes = [*_mistakes(tallies, subscriptions)]
    if lost:
        mistakes.append(f"{lost} messages were answered and are not in the journal")
    if duplicated and outside:
        where = ", ".join(name for name, count in outside.duplicated.items() if count)
        mistakes.append(f"{duplicated} effects are there more often than they were meant ({where})")
    return Balance(
        site=site.name,
        totals=_totals(interfaces, events, subscriptions),
        interfaces=interfaces,
        events=dict(events),
        subscriptions=subscriptions,
        attempts=dict(attempts),
        open=sum(one.waiting for one in interfaces.values())
        + sum(one.events_waiting + sum(one.deliveries[state] for state in UNSETTLED) for one in subscriptions.values()),
        dead=sum(one.deliveries["dead"] for one in subscriptions.values()),
        lost=lost,
        duplicated=duplicated,
        balances=not mistakes,
        problems=[*mistakes, *_remarks(interfaces, subscriptions)],
    )


def _totals(interfaces: Mapping[str, InterfaceSheet], events: Mapping[str, int], subscriptions: Mapping[str, SubscriptionSheet]) -> Totals:
    sheets = interfaces.values()
    deliveries: Counter[str] = Counter()
    receipts: Counter[str] = Counter()
    for one in subscriptions.values():
        deliveries.update(one.deliveries)
        receipts.update(one.receipts)
    return Totals(
        received=sum(one.received for one in sheets),
        acknowledged=sum(one.acknowledged for one in sheets),
        invalid=sum(one.invalid for one in sheets),
        refused=sum(one.refused for one in sheets),
        duplicates=sum(one.duplicates for one in sheets),
        events=sum(events.values()),
        deliveries=dict(deliveries),
        receipts=dict(receipts),
    )


def held(tallies: Iterable[Tally]) -> int:
    """Messages that the journal has answered for: each state once, and each duplicate."""
    return sum(one.count for one in tallies if one.noun == "message")


def _interfaces(site: Site, tallies: Sequence[Tally]) -> dict[str, InterfaceSheet]:
    sheets = {one.name: InterfaceSheet() for one in site.interfaces}
    for tally in tallies:
        if tally.noun != "message":
            continue
        sheet = sheets.setdefault(tally.name or "(none)", InterfaceSheet())
        if tally.state == "duplicate":
            sheet.duplicates += tally.count
            continue
        sheet.received += tally.count
        name = "waiting" if tally.state == "received" else tally.state
        setattr(sheet, name, getattr(sheet, name) + tally.count)
        sheet.acknowledged = sheet.received - sheet.invalid - sheet.refused
    return sheets


def _subscriptions(site: Site, tallies: Sequence[Tally], positions: Sequence[Position]) -> dict[str, SubscriptionSheet]:
    sheets = {one.name: SubscriptionSheet(endpoint=one.to.name) for one in site.subscriptions}
    for tally in tallies:
        if tally.noun in ("delivery", "receipt"):
            sheet = sheets.setdefault(tally.name, SubscriptionSheet())
            counts = sheet.deliveries if tally.noun == "delivery" else sheet.receipts
            counts[tally.state] = counts.get(tally.state, 0) + tally.count
    for position in positions:
        if position.subscription in sheets:  # one that the site no longer has waits for nothing
            sheets[position.subscription].events_waiting = position.waiting
            sheets[position.subscription].stopped = position.stopped
    return sheets


def _mistakes(tallies: Sequence[Tally], subscriptions: Mapping[str, SubscriptionSheet]) -> Iterable[str]:
    """What a sound journal never shows."""
    for one in tallies:
        if one.count < 0:
            yield f"the counter of {one.noun} {one.name} {one.state} is below zero"
    for name, sheet in subscriptions.items():
        proven = max(sheet.receipts.values(), default=0)
        if sheet.deliveries["delivered"] > proven:
            yield f"{name}: {sheet.deliveries['delivered'] - proven} deliveries count as delivered without a receipt"


def _remarks(interfaces: Mapping[str, InterfaceSheet], subscriptions: Mapping[str, SubscriptionSheet]) -> Iterable[str]:
    for name, sheet in interfaces.items():
        if sheet.failed:
            yield f"{name}: {sheet.failed} messages wait for a fix of its translator, then `isthmus reprocess`"
    for name, one in subscriptions.items():
        if one.stopped:
            yield f"{name} is stopped ({one.stopped}); {one.events_waiting} events wait for a fix, then `isthmus resume {name}`"
        if one.deliveries["dead"]:
            yield f"{name}: {one.deliveries['dead']} dead deliveries wait for a person; `isthmus dead` lists them"
