"""Batches: how many records one call carries, and who is to blame when a call with many fails."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from isthmus.connectors.odoo.faults import Fault

T = TypeVar("T")

_BRISK = 1.0
"""Seconds that a call should take at most: longer ones hold locks and run into time-outs."""
_MIN = 1


class Batches:
    """Finds the size by itself: half as many after a slow or unanswered call, half as many again more after a brisk one."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self.size = largest

    async def run(self, items: Sequence[T], act: Callable[[Sequence[T]], Awaitable[None]]) -> list[tuple[T, Fault]]:
        """Call ``act`` on all items in batches; those that failed, each with its own fault.

        A batch that is refused had no effect: it is tried in parts until the culprits stand alone. What Odoo itself suspects
        is tried alone at once; it is not believed, for it blames the first row for what any row did.
        """
        failed: list[tuple[T, Fault]] = []
        waiting = [list(items)] if items else []
        while waiting:
            batch = waiting.pop()
            if len(batch) > self.size:
                waiting += [batch[self.size :], batch[: self.size]]
                continue
            started = time.monotonic()
            try:
                await act(batch)
            except Fault as fault:
                if fault.verdict == "unknown":
                    self._shrink(len(batch))
                if fault.verdict == "reject" and len(batch) > 1:
                    waiting += _parts(batch, fault.rows)
                else:
                    failed += [(item, fault) for item in batch]
                if fault.hopeless:
                    spared = Fault("retry", fault.code, "not tried, since the call before it failed so", after=fault.after, untried=True)
                    failed += [(item, spared) for rest in waiting for item in rest]
                    waiting.clear()
            else:
                self._adapt(len(batch), time.monotonic() - started)
        return failed

    def _adapt(self, count: int, seconds: float) -> None:
        if seconds > _BRISK:
            self._shrink(count)
        elif count >= self.size and seconds < _BRISK / 2:
            self.size = min(self._largest, self.size + self.size // 2 + 1)

    def _shrink(self, count: int) -> None:
        self.size = max(_MIN, min(self.size, count // 2))


def _parts(batch: list[T], suspects: tuple[int, ...]) -> list[list[T]]:
    """The parts in which a refused batch is tried again, last one first."""
    alone = sorted({index for index in suspects if index < len(batch)})
    if not alone or 2 * len(alone) > len(batch):
        half = len(batch) // 2
        return [batch[half:], batch[:half]]
    rest = [item for index, item in enumerate(batch) if index not in alone]
    return [*([batch[index]] for index in alone), rest]
