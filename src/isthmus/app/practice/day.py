"""The shape of a hospital's day: patients arrive by the hour as they do, and their stays are merged in time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from isthmus.app.practice.speech import Utterance
from isthmus.app.practice.stay import Stay

SHAPE = (3, 2, 2, 2, 3, 5, 12, 28, 46, 52, 50, 44, 36, 40, 44, 40, 34, 26, 18, 14, 11, 8, 6, 4)
"""Arrivals by hour of the day, relative to each other: the morning peaks between eight and eleven."""
_WARM_UP = timedelta(days=6)
"""Longer than a stay with its aftermath but for appointments: a hospital is never empty when one starts to listen."""


def arrivals(seed: str, start: datetime, per_day: int) -> Iterator[Stay]:
    """Stays without end from ``start`` on; hour by hour, so that the same seed gives the same patients."""
    index, hour = 1, start
    while True:
        rng = Random(f"{seed}/{hour.isoformat()}")
        expected = per_day * SHAPE[hour.hour] / sum(SHAPE)
        count = int(expected) + (rng.random() < expected % 1)
        for at in sorted(hour + timedelta(seconds=rng.uniform(0, 3600)) for _ in range(count)):
            yield Stay(index=index, seed=seed, arrived=at.replace(microsecond=0))
            index += 1
        hour += timedelta(hours=1)


def day(seed: str, start: datetime, *, per_day: int = 400) -> Iterator[Utterance]:
    """All that the hospital says from ``start`` on, without end, in the order of time. ``per_day``: patients who arrive.

    Patients who came before ``start`` are there already: their discharges and charges are heard, their admissions were before.
    """
    waiting: list[tuple[datetime, int, int, Utterance]] = []
    for stay in arrivals(seed, start - _WARM_UP, per_day):
        while waiting and waiting[0][0] < stay.arrived:
            utterance = heapq.heappop(waiting)[3]
            if utterance.at >= start:
                yield utterance
        for place, utterance in enumerate(stay.utterances()):
            heapq.heappush(waiting, (utterance.at, stay.index, place, utterance))
