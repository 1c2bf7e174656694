"""The primitive types with a form of their own: NM and SI, DT, TM and DTM (HL7 v2.5.1 §2.A.47, 2.A.70, 2.A.21, 2.A.75, 2.A.22)."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Literal

from msgspec import Struct

Precision = Literal["year", "month", "day", "hour", "minute", "second", "fraction"]

_DTM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,9})|(\d{3}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)  # the seventeen digits of YYYYMMDDHHMMSSmmm are not HL7, but common
_TM = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,4}))?)?)?([+-]\d{4})?", re.ASCII)
_NM = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_SI = re.compile(r"\d{1,4}", re.ASCII)
_DT = re.compile(r"\d{4}(?:\d\d(?:\d\d)?)?", re.ASCII)
_PRECISIONS: tuple[Precision, ...] = ("year", "month", "day", "hour", "minute", "second")


class Moment(Struct, frozen=True):
    """A point in time as precisely as the sender knew it; what was not said is the earliest it can be."""

    value: datetime
    """Aware where the sender gave an offset, else naive."""
    precision: Precision


def moment(text: str) -> Moment | None:
    """Read DTM (TS, DT) of any precision; None where it is none."""
    match = _DTM.fullmatch(text.strip(" "))
    if match is None:
        return None
    *parts, fraction, milliseconds, offset = match.groups()
    said = [int(part) for part in parts if part is not None]
    year, month, day, hour, minute, second = said + [0, 1, 1, 0, 0, 0][len(said) :]
    fraction = fraction or milliseconds
    micro = int(fraction.ljust(6, "0")[:6]) if fraction else 0
    try:
        value = datetime(year, month, day, hour, minute, second, micro, tzinfo=zone_of(offset))
    except (ValueError, OverflowError):
        return None
    return Moment(value, "fraction" if fraction else _PRECISIONS[len(said) - 1])


def zone_of(offset: str | None) -> tzinfo | None:
    """``+0215`` as a time zone; None where there is none; raises ``ValueError`` beyond a day."""
    if not offset:
        return None
    hours, minutes = int(offset[1:3]), int(offset[3:5])
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - hours of a day, minutes of an hour
        raise ValueError(offset)
    return timezone((1 if offset[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def day(text: str) -> date | None:
    """Read the day of a DT or DTM; None where there is none, or only a month or a year."""
    found = moment(text)
    return found.value.date() if found is not None and found.precision not in ("year", "month") else None


def time_of_day(text: str) -> time | None:
    """Read TM; None where it is none."""
    match = _TM.fullmatch(text.strip(" "))
    if match is None:
        return None
    hour, minute, second, fraction, offset = match.groups()
    try:
        return time(int(hour), int(minute or 0), int(second or 0), int((fraction or "0").ljust(6, "0")), tzinfo=zone_of(offset))
    except ValueError:
        return None


def number(text: str) -> Decimal | None:
    """Read NM; None where it is none (``60~120``, ``<10``, ``1e5``)."""
    text = text.strip(" ")
    return Decimal(text) if _NM.fullmatch(text) else None


def is_number(text: str) -> bool:
    return _NM.fullmatch(text.strip(" ")) is not None


def is_sequence_id(text: str) -> bool:
    return _SI.fullmatch(text.strip(" ")) is not None


def is_date(text: str) -> bool:
    return _DT.fullmatch(text.strip(" ")) is not None and moment(text) is not None
