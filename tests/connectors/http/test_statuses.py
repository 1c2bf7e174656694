from __future__ import annotations

from datetime import UTC, datetime

import pytest

from isthmus.connectors.http.statuses import outcome_of, retry_after
from isthmus.core import Delivered, Reject, Retry, Unknown

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "idempotent", "careful"),
    [
        (200, Delivered, Delivered), (201, Delivered, Delivered), (202, Delivered, Delivered), (204, Delivered, Delivered),
        (301, Reject, Reject), (302, Reject, Reject), (307, Reject, Reject),
        (400, Reject, Reject), (403, Reject, Reject), (404, Reject, Reject), (409, Reject, Reject), (410, Reject, Reject), (422, Reject, Reject),
        (401, Retry, Retry), (425, Retry, Retry), (429, Retry, Retry), (503, Retry, Retry),
        (408, Retry, Unknown), (502, Retry, Unknown), (504, Retry, Unknown),
        (500, Unknown, Unknown), (507, Unknown, Unknown), (501, Reject, Reject), (505, Reject, Reject),
    ],
)  # fmt: skip
def test_what_a_status_means(status: int, idempotent: type, careful: type) -> None:
    assert type(outcome_of("POST", status, after=None, idempotent=True)) is idempotent
    assert type(outcome_of("POST", status, after=None, idempotent=False)) is careful


@pytest.mark.parametrize("status", [404, 410])
def test_what_shall_be_gone_may_be_gone_already(status: int) -> None:
    outcome = outcome_of("DELETE", status, after=None, idempotent=True)
    assert isinstance(outcome, Delivered)
    assert outcome.unchanged


def test_the_receivers_wish_is_passed_on() -> None:
    outcome = outcome_of("POST", 429, after=7.0, idempotent=True)
    assert isinstance(outcome, Retry)
    assert outcome.after == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0), (" 0 ", 0.0), ("Thu, 01 Jan 2026 12:01:30 GMT", 90.0), ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("9" * 400, 86_400.0), ("Thu, 01 Jan 2099 11:00:00 GMT", 86_400.0), ("soon", None), ("-5", None), ("1.5", None), ("٣", None), ("", None),
    ],
)  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
