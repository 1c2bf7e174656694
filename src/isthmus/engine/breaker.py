"""Breaker: stops asking an endpoint that does not answer, and finds out gently when it is back.

    closed ──failures in a row──► open ──pause over──► (probe) ──answers──► half-open ──one delivery succeeds──► closed
                                    ▲                     │                      │
                                    └────────fails────────┴────────fails─────────┘

While it is open nothing is claimed, so no delivery burns attempts on an endpoint that is known to be down. A ping that is
answered proves little (a half-open or lying endpoint answers pings): one single delivery must succeed before it closes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


class Breaker:
    """Pure but for its state; times are monotonic seconds. ``moved`` hears of every change of state with its reason code."""

    def __init__(self, *, after: int, pause: float, moved: Callable[[BreakerState, str], None] = lambda _state, _code: None) -> None:
        self._after = after
        self._pause = pause
        self._moved = moved
        self._failures = 0
        self.state: BreakerState = "closed"
        self.probe_at = 0.0
        """While open: when to probe."""

    def permits(self, in_the_air: int) -> bool:
        """May one more ``send`` begin while so many are running?"""
        return self.state == "closed" or (self.state == "half-open" and in_the_air == 0)

    def succeeded(self) -> None:
        """The endpoint answered a delivery: yes or no, but it answered."""
        self._failures = 0
        if self.state == "half-open":
            self._move("closed", "answered")

    def failed(self, now: float, code: str, after: float | None = None) -> None:
        """A delivery failed for a transient reason, or nobody knows; ``after`` is the receiver's own wish."""
        self._failures += 1
        if self.state == "half-open" or (self.state == "closed" and self._failures >= self._after):
            self.trip(now, code, max(self._pause, after or 0.0))

    def trip(self, now: float, code: str, pause: float | None = None) -> None:
        """Open at once, or stay open: a probe failed, or the client itself is broken."""
        self.probe_at = now + (self._pause if pause is None else pause)
        self._move("open", code)

    def answered(self) -> None:
        """The probe was answered."""
        self._failures = 0
        self._move("half-open", "probe")

    def _move(self, state: BreakerState, code: str) -> None:
        if state != self.state:
            self.state = state
            self._moved(state, code)
