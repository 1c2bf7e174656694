"""Site: a hospital's own interfaces, subscriptions and endpoints, as one value that can be checked whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from isthmus.core.classification import Classification
from isthmus.core.endpoint import Endpoint
from isthmus.core.event import Catalogue, Event
from isthmus.core.failure import Failure
from isthmus.core.interface import Interface, Subscription
from isthmus.core.policy import objections


class Finding(Struct, frozen=True):
    """Something wrong with a site: where, what, and how to mend it."""

    where: str
    problem: str
    cure: str


class Site:
    """Everything a hospital has declared. Built by the loader from a folder, or by hand in a test."""

    def __init__(
        self,
        name: str,
        *,
        interfaces: Iterable[Interface[Any]] = (),
        subscriptions: Iterable[Subscription[Any]] = (),
        endpoints: Iterable[Endpoint] = (),
        events: Iterable[type[Event]] = (),
    ) -> None:
        self.name = name
        self.interfaces = tuple(interfaces)
        self.subscriptions = tuple(subscriptions)
        declared = dict.fromkeys((*endpoints, *(s.to for s in self.subscriptions)))
        self.endpoints: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in declared}
        self._declared = tuple(declared)
        subscribed = (event for subscription in self.subscriptions for event in subscription.events)
        self.catalogue = Catalogue(dict.fromkeys((*events, *subscribed)))
        self._by_source: dict[str, list[Interface[Any]]] = {}
        for interface in self.interfaces:
            self._by_source.setdefault(interface.source, []).append(interface)

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self._by_source)

    def at(self, source: str) -> tuple[Interface[Any], ...]:
        """The interfaces that listen to a source."""
        return tuple(self._by_source.get(source, ()))

    def interface(self, name: str) -> Interface[Any] | None:
        return next((one for one in self.interfaces if one.name == name), None)

    def route(self, source: str, kind: str) -> Interface[Any] | None:
        """Content-based router: the interface of this source that takes this kind; an exact kind beats ``ADT^*``."""
        candidates = self._by_source.get(source, ())
        return next(
            (one for one in candidates if kind in one.contract.kinds),
            next((one for one in candidates if one.takes(kind)), None),
        )

    def subscriptions_to(self, event_type: str) -> Iterator[Subscription[Any]]:
        return (one for one in self.subscriptions if event_type in one.types)

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with what was declared, at once."""
        return tuple(self._find())

    def _find(self) -> Iterator[Finding]:
        yield from _twice("interface", (one.name for one in self.interfaces))
        yield from _twice("subscription", (one.name for one in self.subscriptions))
        yield from _twice("endpoint", (one.name for one in self._declared))
        for source, interfaces in self._by_source.items():
            kinds = [kind for one in interfaces for kind in one.contract.kinds]
            for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
                yield Finding(f"source {source}", f"two interfaces take {kind}", "let one of them take it; subscriptions share its events")
        for interface in self.interfaces:
            where = f"interface {interface.name}"
            yield from _classified(where, interface.classification, interface.owner)
            for kind in interface.contract.kinds:
                if interface.translator(kind) is None:
                    yield Finding(
                        where, f"takes {kind} but has no translator for it", f'add @{interface.name}.translate("{kind}") or drop the kind'
                    )
            for kind in interface.translators:
                if not interface.takes(kind):
                    yield Finding(
                        where, f"translates {kind}, which its contract does not take", "add the kind to the contract or drop the translator"
                    )
        for subscription in self.subscriptions:
            yield from _classified(f"subscription {subscription.name}", subscription.classification, subscription.owner)


def _twice(noun: str, names: Iterable[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield Finding(f"{noun} {name}", "declared twice", "give each a name of its own")
        seen.add(name)


def _classified(where: str, classification: Classification, owner: str) -> Iterator[Finding]:
    if not owner:
        yield Finding(where, "has no owner", "name the desk that is called when it stands still")
    try:
        _ = classification.per_day
    except Failure as failure:
        yield Finding(where, failure.code, failure.detail)
    for objection in objections(classification):
        yield Finding(where, "its classification contradicts itself", objection)
