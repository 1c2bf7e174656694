"""When it happened: the first of several places that holds a readable time. Senders leave most of them empty."""

from __future__ import annotations

from datetime import date, datetime

from isthmus.core import Invalid
from isthmus.formats.hl7v2 import Group

_YEARS = range(1800, 2200)
"""What a hospital can mean. Senders write 0001 or 9999 for "unknown" and "for ever"; nobody can reckon with those."""


def moment_of(group: Group, *places: str) -> datetime | None:
    """The first readable point in time; what is written in prose (``February 2 2024``), or lies out of all time, counts as not said."""
    for place in places:
        try:
            found = group.time(place, None)
        except Invalid:
            continue
        if found is not None and found.year in _YEARS:
            return found
    return None


def day_of(group: Group, *places: str) -> date | None:
    """The first readable day, as the sender's calendar has it; one that lies out of all time counts as not said."""
    for place in places:
        try:
            found = group.date(place, None)
        except Invalid:
            continue
        if found is not None and found.year in _YEARS:
            return found
    return None
