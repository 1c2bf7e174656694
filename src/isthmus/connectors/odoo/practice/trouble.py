"""Trouble on request: how the practice Odoo misbehaves, and in which calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Kind = Literal["serialization", "silent", "drops", "lies", "unavailable", "slow", "breaks"]
"""serialization: 500 SerializationFailure, nothing done · silent: does it and never answers · drops: does it and hangs up ·
lies: says yes and does nothing (``load``: 200 with ids false) · unavailable: 503 of a proxy, nothing done ·
slow: takes its time first · breaks: 500 with the name of a programming error, nothing done."""


class Call(Struct, frozen=True):
    """One call as it came in."""

    model: str
    method: str
    login: str
    context: dict[str, object]


class Trouble:
    """What is planned; each plan is used up by the calls that it hits."""

    def __init__(self) -> None:
        self._plans: list[tuple[Kind, Callable[[Call], bool], list[int]]] = []
        self.seconds = 0.5
        """How slow slow is."""
        self.otherwise: Callable[[Call], Kind | None] = lambda _call: None
        """Decides over each call that no plan hits."""
        self.hits: dict[Kind, int] = {}
        """How often each kind has really happened: a drill asserts that it hurt."""

    def plan(self, kind: Kind, *, times: int = 1, method: str = "", model: str = "") -> None:
        def hit(call: Call) -> bool:
            return (not method or call.method == method) and (not model or call.model == model)

        self._plans.append((kind, hit, [times]))

    def clear(self) -> None:
        self._plans.clear()

    def of(self, call: Call) -> Kind | None:
        """What happens to this call."""
        for kind, hit, left in self._plans:
            if left[0] > 0 and hit(call):
                left[0] -= 1
                return self._hit(kind)
        drawn = self.otherwise(call)
        return None if drawn is None else self._hit(drawn)

    def _hit(self, kind: Kind) -> Kind:
        self.hits[kind] = self.hits.get(kind, 0) + 1
        return kind
