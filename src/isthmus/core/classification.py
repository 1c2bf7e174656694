"""Classification: what failure costs. Named once per interface; everything the runtime does follows from it (``policy``)."""

from __future__ import annotations

import re
from typing import Literal, get_args

from msgspec import Struct

from isthmus.core.failure import Bug

Criticality = Literal["care", "revenue", "operations", "reporting"]
Latency = Literal["seconds", "minutes", "batch"]
Recovery = Literal["replay", "manual", "skip"]

_WORDS: dict[str, tuple[str, ...]] = {"criticality": get_args(Criticality), "latency": get_args(Latency), "recovery": get_args(Recovery)}
_VOLUME = re.compile(r"^(\d+)(k?)/(day|hour|second)$")
_PER_DAY = {"day": 1, "hour": 24, "second": 86_400}


class Classification(Struct, frozen=True, kw_only=True):
    """Declared by the interface's owner in a hospital's words."""

    criticality: Criticality
    """Who is hurt when it stands still: patients (care), the income, the daily work, a report."""
    latency: Latency
    """How long the effect may take."""
    volume: str = "1k/day"
    """``20k/day``, ``300/hour``: what is normal; measured traffic is compared with it."""
    failure: str = ""
    """What happens in the hospital when it fails, in a few words: ``delays care``."""
    recovery: Recovery = "replay"
    """After an outage: replay all, let a person decide each, or skip what is stale."""
    ordered_by: str = ""
    """The business object whose messages keep their order: ``patient``."""

    def __post_init__(self) -> None:
        """A word that no policy follows from is told where it stands, not when the engine starts."""
        for name, known in _WORDS.items():
            if (word := getattr(self, name)) not in known:
                raise Bug("classification", f"{name} {word!r}: write one of {', '.join(known)}")

    @property
    def per_day(self) -> int:
        """The declared volume in messages per day."""
        match = _VOLUME.match(self.volume)
        if match is None:
            raise Bug("volume", f"volume {self.volume!r}: write a number and a unit, such as 20k/day, 300/hour or 5/second")
        number, kilo, unit = match.groups()
        return int(number) * (1000 if kilo else 1) * _PER_DAY[unit]
