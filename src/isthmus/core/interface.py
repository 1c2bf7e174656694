"""Interface and Subscription: values made of pure functions, with an owner and a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from isthmus.core.classification import Classification
from isthmus.core.contract import Contract, D
from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.event import E, Event
from isthmus.core.failure import Bug
from isthmus.core.lookup import Produced
from isthmus.core.policy import Policy, policy_for

Translate = Callable[[D], Produced[Event]]
F = TypeVar("F", bound=Callable[..., Any])


class Interface(Generic[D]):
    """How the messages of one kind of one source become events.

    One ``translate`` per kind of message; a kind that the contract takes and no translator handles is refused by ``isthmus check``.
    """

    def __init__(
        self, name: str, *, source: str, owner: str, contract: Contract[D], classification: Classification, runbook: str = ""
    ) -> None:
        self.name = name
        self.source = source
        self.owner = owner
        self.contract = contract
        self.classification = classification
        self.runbook = runbook
        self.translators: dict[str, Translate[D]] = {}

    def translate(self, *kinds: str) -> Callable[[F], F]:
        """Register the pure function for these kinds: document → events."""

        def register(function: F) -> F:
            for kind in kinds:
                if kind in self.translators:
                    raise Bug("translator-twice", f"interface {self.name}: two translators for {kind}; keep one")
                self.translators[kind] = function
            return function

        return register

    def translator(self, kind: str) -> Translate[D] | None:
        """The translator for a kind; ``ADT^*`` stands for every trigger that has none of its own."""
        return self.translators.get(kind) or self.translators.get(kind.partition("^")[0] + "^*")

    def takes(self, kind: str) -> bool:
        return kind in self.contract.kinds or kind.partition("^")[0] + "^*" in self.contract.kinds

    @property
    def policy(self) -> Policy:
        return policy_for(self.classification)

    def __repr__(self) -> str:
        return f"Interface({self.name!r})"


class Subscription(Generic[E]):
    """Who hears of an event: a pure function event → deliveries, to one endpoint, with a cursor of its own."""

    def __init__(
        self,
        name: str,
        function: Callable[[E], Produced[Delivery]],
        *,
        events: tuple[type[E], ...],
        to: Endpoint,
        owner: str,
        classification: Classification,
        runbook: str = "",
    ) -> None:
        self.name = name
        self.function = function
        self.events = events
        self.to = to
        self.owner = owner
        self.classification = classification
        self.runbook = runbook
        self.types = frozenset(event.spec.type for event in events)

    def __call__(self, event: E) -> Produced[Delivery]:
        return self.function(event)

    @property
    def policy(self) -> Policy:
        return policy_for(self.classification)

    def __repr__(self) -> str:
        return f"Subscription({self.name!r})"


S1 = TypeVar("S1", bound=Event)
S2 = TypeVar("S2", bound=Event)
S3 = TypeVar("S3", bound=Event)
Told = Callable[[Callable[[E], Produced[Delivery]]], Subscription[E]]
"""A decorator that makes a function from these events a Subscription."""


@overload
def subscribe(
    first: type[S1], second: type[S2], /, *, to: Endpoint, owner: str, classification: Classification, name: str = "", runbook: str = ""
) -> Told[S1 | S2]: ...
@overload
def subscribe(
    first: type[S1],
    second: type[S2],
    third: type[S3],
    /,
    *,
    to: Endpoint,
    owner: str,
    classification: Classification,
    name: str = "",
    runbook: str = "",
) -> Told[S1 | S2 | S3]: ...
@overload
def subscribe(*events: type[E], to: Endpoint, owner: str, classification: Classification, name: str = "", runbook: str = "") -> Told[E]: ...
def subscribe(*events: type[Any], to: Endpoint, owner: str, classification: Classification, name: str = "", runbook: str = "") -> Told[Any]:
    """Make a function from events to deliveries a Subscription; its name is ``<endpoint>.<function>`` unless given."""

    def register(function: Callable[[Any], Produced[Delivery]]) -> Subscription[Any]:
        return Subscription(
            name or f"{to.name}.{function.__name__.replace('_', '-')}",
            function,
            events=events,
            to=to,
            owner=owner,
            classification=classification,
            runbook=runbook,
        )

    return register
