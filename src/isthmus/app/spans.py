"""Durations, sizes and counts as people write and read them: ``10 s``, ``15 min``, ``7 d``; ``4.2 MB``; ``1 finding``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001))
_WORDS = {"d": 86_400, "day": 86_400, "days": 86_400, "h": 3_600, "hour": 3_600, "hours": 3_600, "m": 60, "min": 60, "s": 1}
_SPAN = re.compile(r"(\d+)\s*([a-z]+)\Z")


def span(seconds: float) -> str:
    """Seconds in the largest unit that keeps it short: 0.5 → ``500 ms``, 900 → ``15 min``, 90 → ``90 s``."""
    if seconds <= 0:
        return "0 s"
    for unit, size in _UNITS:
        value = seconds / size
        if value >= 1 and (abs(value - round(value)) < 0.05 or value >= 3):  # noqa: PLR2004 - 2.5 h is better told as 150 min
            return f"{value:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms"


def size(count: float) -> str:
    """Bytes, in powers of a thousand."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - the step of the units
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def count(number: int, noun: str) -> str:
    """``1 finding``, ``2 findings``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def moment(text: str, now: datetime) -> datetime:
    """``2h``, ``3 days`` (ago), ``2026-11-23`` or a full ISO 8601 time; without a zone it is local. Raises ``ValueError``."""
    match = _SPAN.match(text.strip().lower())
    if match and match[2] in _WORDS:
        return now - timedelta(seconds=int(match[1]) * _WORDS[match[2]])
    return datetime.fromisoformat(text).astimezone()


def clock(at: datetime) -> str:
    """A time for people: local, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
