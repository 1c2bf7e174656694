"""Backpressure: from how many waiting messages on a source is slowed, and from how many on refused. Pure.

An interface's policy gives its bound. Above the bound its source is paused, so that senders wait in their own queue; what
arrives all the same above twice the bound is answered ``busy`` and not kept. Both end lower than they began (hysteresis), so
that a source does not flicker between the two.
"""

from __future__ import annotations

from collections.abc import Mapping

SLOW, REFUSE = 1.0, 2.0  # times the bound: where it begins
SLOW_ENDS, REFUSE_ENDS = 0.75, 1.5


class Backpressure:
    """Counts what waits for the translator, by interface: what the journal says, and what has happened since."""

    def __init__(self, bounds: Mapping[str, int], sources: Mapping[str, str]) -> None:
        """``bounds``: by interface; ``sources``: the source of each interface."""
        self._bounds = dict(bounds)
        self._sources = dict(sources)
        self._waiting = dict.fromkeys(bounds, 0)
        self._slow: set[str] = set()
        self._refusing: set[str] = set()

    @property
    def waiting(self) -> Mapping[str, int]:
        return self._waiting

    def add(self, interface: str, messages: int) -> None:
        """Messages were kept (or, below zero, worked off)."""
        if interface in self._bounds:
            self._set(interface, self._waiting[interface] + messages)

    def correct(self, backlog: Mapping[str, int]) -> None:
        """What the journal says; other nodes receive and translate too."""
        for interface in self._bounds:
            self._set(interface, backlog.get(interface, 0))

    def refuses(self, interface: str) -> bool:
        return interface in self._refusing

    @property
    def any_refused(self) -> bool:
        return bool(self._refusing)

    def slow_sources(self) -> set[str]:
        """Sources that have to pause: one of their interfaces is above its bound."""
        return {self._sources[interface] for interface in self._slow}

    def _set(self, interface: str, waiting: int) -> None:
        bound = self._bounds[interface]
        self._waiting[interface] = waiting = max(0, waiting)
        _move(self._slow, interface, waiting > SLOW * bound, waiting <= SLOW_ENDS * bound)
        _move(self._refusing, interface, waiting > REFUSE * bound, waiting <= REFUSE_ENDS * bound)


def _move(members: set[str], one: str, joins: bool, leaves: bool) -> None:
    if joins:
        members.add(one)
    elif leaves:
        members.discard(one)
