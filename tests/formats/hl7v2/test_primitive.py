# ruff: noqa: DTZ001 - without an offset there is no zone, and that is tested
"""The primitive types, at every precision and with what senders make of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from isthmus.formats.hl7v2 import primitive

PLUS = dt.timezone(dt.timedelta(hours=2, minutes=15))


@pytest.mark.parametrize(
    ("text", "value", "precision"),
    [
        ("2024", dt.datetime(2024, 1, 1), "year"),
        ("202403", dt.datetime(2024, 3, 1), "month"),
        ("20240311", dt.datetime(2024, 3, 11), "day"),
        ("2024031109", dt.datetime(2024, 3, 11, 9), "hour"),
        ("202403110930", dt.datetime(2024, 3, 11, 9, 30), "minute"),
        ("20240311093059", dt.datetime(2024, 3, 11, 9, 30, 59), "second"),
        ("20240311093059.1234", dt.datetime(2024, 3, 11, 9, 30, 59, 123400), "fraction"),
        ("20240311093059123", dt.datetime(2024, 3, 11, 9, 30, 59, 123000), "fraction"),
        ("198908181126+0215", dt.datetime(1989, 8, 18, 11, 26, tzinfo=PLUS), "minute"),
        ("20240311+0215", dt.datetime(2024, 3, 11, tzinfo=PLUS), "day"),
        ("20230101010000-0000", dt.datetime(2023, 1, 1, 1, tzinfo=dt.UTC), "second"),
        (" 20240311 ", dt.datetime(2024, 3, 11), "day"),
        ("19371227000000", dt.datetime(1937, 12, 27), "second"),
    ],
)
def test_points_in_time(text: str, value: dt.datetime, precision: str) -> None:
    found = primitive.moment(text)
    assert found is not None
    assert found.value == value
    assert found.value.tzinfo == value.tzinfo
    assert found.precision == precision


@pytest.mark.parametrize(
    "text",
    ["", "24", "202413", "20240230", "2024031125", "20240311096100", "20240311093060", "February 2 2024", "2024-03-11", "00000000",
     "20240311+2500", "20240311+01", "20240311093059.", "٢٠٢٤", "20240311T0930", "2024031109305912"],
)  # fmt: skip
def test_no_points_in_time(text: str) -> None:
    assert primitive.moment(text) is None


def test_a_day_is_whole() -> None:
    assert primitive.day("20240311093000+0100") == dt.date(2024, 3, 11)
    assert primitive.day("202403") is None
    assert primitive.day("Aug 15, 1942") is None


@pytest.mark.parametrize(("text", "value"), [("1", "1"), ("-0.5", "-0.5"), ("+7", "7"), (" 12. ", "12."), (".5", "0.5"), ("007", "7")])
def test_numbers(text: str, value: str) -> None:
    assert primitive.number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "<10", "60~120", "1e5", "1,5", "1 2", "NaN", "Infinity", "--1", ".", "\u0661"])
def test_no_numbers(text: str) -> None:
    assert primitive.number(text) is None
    assert not primitive.is_number(text)


def test_times_of_day() -> None:
    assert primitive.time_of_day("0930") == dt.time(9, 30)
    assert primitive.time_of_day("09") == dt.time(9)
    assert primitive.time_of_day("093059.5+0215") == dt.time(9, 30, 59, 500000, tzinfo=PLUS)
    assert primitive.time_of_day("2561") is None
    assert primitive.time_of_day("9:30") is None
    assert primitive.time_of_day("0930+9900") is None


def test_sequence_ids_and_dates() -> None:
    assert primitive.is_sequence_id("12")
    assert not primitive.is_sequence_id("1.2")
    assert not primitive.is_sequence_id("12345")
    assert primitive.is_date("202403")
    assert not primitive.is_date("202403110930")
    assert not primitive.is_date("20240230")
