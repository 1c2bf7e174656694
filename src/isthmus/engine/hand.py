"""Hand: what a courier has claimed and not settled yet; who goes next, and how many to claim ahead. Pure but for its state.

Safety goes first, and where it shares an endpoint with other lanes, one worker is kept free of them. How many are claimed
ahead adapts to the endpoint: a fast one is never kept waiting for a commit, and with a slow one little is in hand when the
process dies (for all that is in hand must then be checked).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from isthmus.core.policy import Policy
from isthmus.journals.port import Claimed

MOST_AHEAD = 512
"""Deliveries in hand at the fastest endpoint."""
QUICK, SLOW = 0.1, 1.0
"""Seconds in which what was claimed should leave the hand: below, more is claimed at once; above, less."""


class Hand:
    def __init__(self, *, workers: int, max_batch: int, lanes: set[str]) -> None:
        self._most_in_batch = max(1, max_batch)
        self._least = self._most_in_batch * workers
        self._workers_for_others = workers - 1 if "safety" in lanes and len(lanes) > 1 and workers > 1 else workers
        self._ahead = 2 * self._least
        self._safety: deque[Claimed] = deque()
        self._others: deque[Claimed] = deque()
        self._batches_of_others = 0
        self._filled_at, self._filled = 0.0, False
        self.flying = 0
        """Deliveries that are being sent."""

    def __len__(self) -> int:
        return len(self._safety) + len(self._others) + self.flying

    def __iter__(self) -> Iterator[Claimed]:
        """What waits to be sent."""
        yield from self._safety
        yield from self._others

    def clear(self) -> None:
        self._safety.clear()
        self._others.clear()

    def room(self, unsettled: int) -> int:
        """How many to claim now; 0 while enough is in hand to keep the workers busy during a commit."""
        room = self._ahead - len(self) - unsettled
        return room if room >= self._least else 0

    def add(self, claimed: Claimed, policy: Policy) -> None:
        (self._safety if policy.lane == "safety" else self._others).append(claimed)

    def filled(self, now: float, *, full: bool) -> None:
        """A claim is in hand; ``full``: there was as much to claim as there was room."""
        self._filled_at, self._filled = now, full

    def take(self, now: float, *, single: bool) -> tuple[list[Claimed], bool]:
        """What one worker sends next (nothing: it waits), and whether it is of the safety lane."""
        safety = bool(self._safety)
        queue = self._safety if safety else self._others
        if not queue or not (safety or self._batches_of_others < self._workers_for_others):
            return [], safety
        batch = [queue.popleft()]
        most = 1 if single or batch[0].unknown else self._most_in_batch
        while queue and len(batch) < most and not queue[0].unknown:
            batch.append(queue.popleft())
        self.flying += len(batch)
        self._batches_of_others += not safety
        if not self._safety and not self._others:
            self._adapt(now - self._filled_at)
        return batch, safety

    def landed(self, deliveries: int, *, safety: bool) -> None:
        self.flying -= deliveries
        self._batches_of_others -= not safety

    def _adapt(self, took: float) -> None:
        """All that was claimed has left: were we too timid or too bold?"""
        if self._filled and took < QUICK:
            self._ahead = max(self._ahead, min(2 * self._ahead, MOST_AHEAD))
        elif took > SLOW:
            self._ahead = max(2 * self._least, self._ahead // 2)
