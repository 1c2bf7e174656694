"""Accounts: what became of each message, by its id, from the sender's ledger to the effect in the target.

Three witnesses are held against each other: what senders were answered, what the journal holds, and what took effect in the practice
systems. What each message should have become is computed anew by the site's own pure functions, so a journal that forgot a delivery
cannot testify that there was none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from msgspec import Struct

from isthmus.app.balance import UNSETTLED, balance
from isthmus.app.compose import keyring_of, opened
from isthmus.app.config import Config
from isthmus.app.drill.load import Said
from isthmus.app.drill.sinks import Sink
from isthmus.core import Delivery, Failure, Site
from isthmus.engine.answers import Answers
from isthmus.engine.clock import SystemClock
from isthmus.engine.replay import Replay
from isthmus.journals.port import DeliveryState, Journal, Query, Stored, StoredDelivery

_PAGE = 1_000


class Account(Struct, kw_only=True):
    """Ids are exact; counts follow from them. All lists are empty when all is well."""

    said: int = 0
    acknowledged: int = 0
    """Messages whose sender holds an AA (2xx, a file taken over)."""
    kept: int = 0
    """Different messages in the journal."""
    duplicates: int = 0
    """Sent once more, recognised, answered as the first time."""
    deliveries: int = 0
    arrived: int = 0
    """Deliveries whose effect was found in its target, by id."""
    waiting: int = 0
    """Visible in the journal as due, being sent or unknown when the drill ended."""
    dead: int = 0
    """Visible as dead letters, each with its reason."""
    reasons: dict[str, int] = {}
    """Of the dead, by reason."""
    compared: int = 0
    """Times that the order of two effects of one ordering key was checked, where a target shows in which order it acted."""
    recognised: int = 0
    """Times that a target was sent something again, and recognised it as its configuration promises."""
    lost: list[str] = []
    doubled: list[str] = []
    reordered: list[str] = []
    strange: list[str] = []
    """Effects or messages that nobody ordered, answers that named another message, sheets that do not add up."""

    @property
    def sound(self) -> bool:
        return not (self.lost or self.doubled or self.reordered or self.strange)


async def account(config: Config, site: Site, ledger: Sequence[Said], mistaken: Sequence[str], sinks: Mapping[str, Sink]) -> Account:
    """Count everything; the node must have ended."""
    async with opened(config, read_only=True, create=False) as journal:
        books = _Books(ledger, await _messages(journal), await _deliveries(journal))
        found = Account(said=len(ledger), acknowledged=sum(one.answer == "taken" for one in ledger), kept=len(books.messages))
        found.strange = [f"an answer to {one} named another message" for one in mistaken]
        _in(books, found)
        await _meaning(config, site, journal, books, found)
        for name, sink in sinks.items():
            known = [one for state in books.deliveries.values() for one in state if one.endpoint == name]
            tokens = await _tokens(journal, sink, known)
            _out(name, sink, known, tokens, found)
            _order(name, sink.order(), {tokens[one.id]: one for one in known if one.id in tokens}, books, found)
        _states(books, found)
        sheet = balance(site, await journal.tallies(), await journal.positions())
        found.strange += [] if sheet.balances else sheet.problems
        found.duplicates = sheet.totals.duplicates
    return found


class _Books:
    def __init__(
        self, ledger: Sequence[Said], messages: Sequence[Stored], deliveries: Mapping[DeliveryState, Sequence[StoredDelivery]]
    ) -> None:
        self.ledger = ledger
        self.said = {one.saying.message_id: one for one in ledger}
        self.messages = {one.id: one for one in messages}
        self.deliveries = deliveries


async def _messages(journal: Journal) -> list[Stored]:
    found: list[Stored] = []
    before = 0
    while page := await journal.find(Query(before=before, limit=_PAGE)):
        found += page
        before = page[-1].seq
    return found


async def _deliveries(journal: Journal) -> dict[DeliveryState, list[StoredDelivery]]:
    found: dict[DeliveryState, list[StoredDelivery]] = {}
    for state in get_args(DeliveryState):
        before = 0
        found[state] = []
        while page := await journal.deliveries(state=state, before=before, limit=_PAGE):
            found[state] += page
            before = page[-1].seq
    return found


def _in(books: _Books, found: Account) -> None:
    """What was acknowledged is there, and nothing is there that nobody said."""
    for said in books.ledger:
        stored = books.messages.get(said.saying.message_id)
        if said.answer == "taken" and stored is None:
            found.lost.append(f"message {said.saying.control_id}: acknowledged, and not in the journal")
        elif said.answer == "taken" and stored is not None and stored.state not in ("received", "translated"):
            found.strange.append(f"message {said.saying.control_id}: acknowledged, and {stored.state} ({stored.reason})")
        elif said.answer in ("invalid", "refused"):
            found.strange.append(f"message {said.saying.control_id}: this site takes it, and its sender was answered {said.answer}")
    found.strange += [f"message {one.control_id}: kept, and nobody said it" for one in books.messages.values() if one.id not in books.said]
    again = Counter(one.control_id for one in books.messages.values() if one.id in books.said)
    found.doubled += [f"message {control_id}: kept {times} times" for control_id, times in again.items() if times > 1]


async def _meaning(config: Config, site: Site, journal: Journal, books: _Books, found: Account) -> None:
    """Each message became exactly the events and deliveries that the site's functions make of it, with the answers of then."""
    replay = Replay(site, journal, Answers({}, clock=SystemClock(), pseudonym=keyring_of(config.journal, create=False).pseudonym),
                    clock=SystemClock(), due=lambda: None)  # fmt: skip
    behind = {one.subscription for one in await journal.positions() if one.waiting}
    for message in books.messages.values():
        if message.state != "translated":
            continue
        try:
            diff = await replay.preview(message.id)
        except Failure as failure:
            if not behind:
                found.strange.append(f"message {message.control_id}: cannot be planned again ({failure.code})")
            continue
        for event in diff.events:
            found.lost.append(f"message {message.control_id}: event {event.type} {event.id[:12]} is {event.change} when it is read again")
        for one in diff.deliveries:
            if one.change == "added" and one.subscription in behind:
                continue
            place = found.lost if one.change == "added" else found.strange
            place.append(f"message {message.control_id}: a delivery of {one.subscription} is {one.change} when it is planned again")


async def _tokens(journal: Journal, sink: Sink, known: Iterable[StoredDelivery]) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for one in known:
        delivery: Delivery | None = await journal.delivery(one.id)
        if delivery is not None:
            tokens[one.id] = sink.token(delivery)
    return tokens


def _out(name: str, sink: Sink, known: Sequence[StoredDelivery], tokens: Mapping[str, str], found: Account) -> None:
    """What counts as delivered is in its target, once; and nothing else is there."""
    effects = sink.effects()
    for one in known:
        token = tokens.get(one.id, "")
        times = effects[token] if token else int(one.state == "delivered")
        found.arrived += bool(times)
        if one.state == "delivered" and not times:
            found.lost.append(f"delivery {one.id[:12]} ({one.key}): counts as delivered, and {name} does not hold it")
    found.doubled += [f"{name} holds {token[:40]} {times} times" for token, times in effects.items() if times > 1]
    if strangers := sink.strangers():
        found.doubled.append(f"{name} holds {strangers} records that were made a second time")
    ordered = set(tokens.values())
    found.strange += [f"{name} holds {token[:40]}, which the journal does not know" for token in effects if token not in ordered]
    found.recognised += sink.recognised()


def _order(name: str, arrived: Sequence[str], by_token: Mapping[str, StoredDelivery], books: _Books, found: Account) -> None:
    """Per ordering key: in the order in which the journal planned them; and per sender and subscription, in the order of speech."""
    planned: dict[str, int] = defaultdict(int)
    spoken: dict[tuple[str, str, str], int] = defaultdict(int)
    for token in dict.fromkeys(arrived):
        one = by_token.get(token)
        if one is None or not one.ordering_key:
            continue
        if one.seq < planned[one.ordering_key]:
            found.reordered.append(f"{name}: delivery {one.id[:12]} ({one.key}) arrived after one that was planned later")
        planned[one.ordering_key] = max(planned[one.ordering_key], one.seq)
        said = books.said.get(one.correlation_id)
        if said is None:
            continue
        place = (one.subscription, one.ordering_key, said.saying.about)
        found.compared += place in spoken
        if said.number < spoken[place]:
            found.reordered.append(f"{name}: what message {said.saying.control_id} said arrived after what was said later")
        spoken[place] = max(spoken[place], said.number)


def _states(books: _Books, found: Account) -> None:
    found.deliveries = sum(len(books.deliveries[state]) for state in books.deliveries if state != "superseded")
    found.waiting = sum(len(books.deliveries[state]) for state in UNSETTLED)
    found.waiting += sum(one.state == "received" for one in books.messages.values())
    found.dead = len(books.deliveries["dead"])
    found.reasons = dict(Counter(one.reason for one in books.deliveries["dead"]))
