"""Back-off: how long to wait before the next attempt."""

from __future__ import annotations

import random


def pause(attempt: int, *, first: float, longest: float, rng: random.Random) -> float:
    """Seconds after the attempt of this number (from 1): the ceiling doubles from ``first`` to ``longest``, and the pause is
    drawn evenly below it. Full jitter keeps those who failed together from coming back together.
    """
    doublings = min(max(attempt - 1, 0), 30)  # two to the thirtieth is beyond any policy, and far from overflow
    return rng.uniform(0.0, min(longest, first * 2.0**doublings))
