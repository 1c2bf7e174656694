"""Hand: what a courier has claimed and not settled yet; who goes next, and how many to claim ahead. Pure but for its state.

Lane by lane, safety first; a batch is of one lane only, so that nothing critical is sent behind bulk or waits in its calls. Where
safety shares an endpoint with other lanes, one worker is kept free of them, and it has room in hand however much of them is there.

How many are claimed ahead adapts to the endpoint: a fast one is never kept waiting for a commit, and with a slow one little is in
hand when the process dies (for all that is in hand must then be checked).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from isthmus.core.policy import LANES, Lane
from isthmus.journals.port import Claimed

MOST_AHEAD = 512
"""Deliveries in hand at the fastest endpoint."""
QUICK, SLOW = 0.1, 1.0
"""Seconds in which what was claimed should leave the hand: below, more is claimed at once; above, less."""


class Hand:
    def __init__(self, *, workers: int, max_batch: int, lanes: AbstractSet[Lane]) -> None:
        self._most_in_batch = max(1, max_batch)
        self._least = self._most_in_batch * workers
        self._workers_for_others = workers - 1 if "safety" in lanes and len(lanes) > 1 and workers > 1 else workers
        self._ahead = 2 * self._least
        self._waiting: dict[Lane, deque[Claimed]] = {lane: deque() for lane in LANES}
        self._batches_of_others = 0
        self._filled_at, self._filled = 0.0, False
        self.flying = 0
        """Deliveries that are being sent."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values())) + self.flying

    def __iter__(self) -> Iterator[Claimed]:
        """What waits to be sent."""
        for queue in self._waiting.values():
            yield from queue

    def clear(self) -> None:
        for queue in self._waiting.values():
            queue.clear()

    def room(self, unsettled: int) -> int:
        """How many to claim now; 0 while enough is in hand to keep the workers busy during a commit."""
        room = self._ahead - len(self) - unsettled
        return room if room >= self._least else 0

    def room_for_safety(self) -> int:
        """How many of the safety lane to claim, however full the hand is of others."""
        return max(0, 2 * self._least - len(self._waiting["safety"]))

    def add(self, claimed: Claimed) -> None:
        self._waiting[claimed.lane].append(claimed)

    def filled(self, now: float, *, full: bool) -> None:
        """A claim is in hand; ``full``: there was as much to claim as there was room."""
        self._filled_at, self._filled = now, full

    def take(self, now: float, *, single: bool) -> list[Claimed]:
        """What one worker sends next, all of one lane; nothing: it waits."""
        lane: Lane | None = next((lane for lane in LANES if self._waiting[lane]), None)
        if lane is None or (lane != "safety" and self._batches_of_others >= self._workers_for_others):
            return []
        queue = self._waiting[lane]
        batch = [queue.popleft()]
        most = 1 if single or batch[0].unknown else self._most_in_batch
        while queue and len(batch) < most and not queue[0].unknown:
            batch.append(queue.popleft())
        self.flying += len(batch)
        self._batches_of_others += lane != "safety"
        if not any(self._waiting.values()):
            self._adapt(now - self._filled_at)
        return batch

    def landed(self, batch: Sequence[Claimed]) -> None:
        self.flying -= len(batch)
        self._batches_of_others -= batch[0].lane != "safety"

    def _adapt(self, took: float) -> None:
        """All that was claimed has left: were we too timid or too bold?"""
        if self._filled and took < QUICK:
            self._ahead = max(self._ahead, min(2 * self._ahead, MOST_AHEAD))
        elif took > SLOW:
            self._ahead = max(2 * self._least, self._ahead // 2)
