"""What an HTTP answer means for a delivery. Pure: one table and one header.

| status | outcome | why |
|---|---|---|
| 2xx | delivered | RFC 9110, 15.3; with ``confirm``, only once the effect is seen |
| 404, 410 to DELETE | delivered, unchanged | what shall be gone is gone |
| 3xx | reject | not followed: a body with PHI goes nowhere but where the configuration says |
| 401 | retry | our own token is wrong or expired: nothing is wrong with the delivery, so it waits for a new one |
| 425, 429, 503 | retry | the receiver says that it did not act |
| 408, 502, 504 | retry, or unknown if not idempotent | something between may have passed it on |
| 501, 505 | reject | it will never know how |
| other 5xx | unknown | a receiver that fails half-way may have acted: checked first (``confirm``, ``idempotent``) |
| other 4xx | reject | the receiver said no |
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown

_NOT_DONE = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_BETWEEN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
_NEVER = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""Nothing is there."""
_LONGEST = 86_400.0


def outcome_of(method: str, status: int, *, after: float | None, idempotent: bool) -> Outcome:
    """The outcome of a write that was answered with this status. No text of the receiver is kept: it may quote the body."""
    code = f"http-{status}"
    gone = method == "DELETE" and status in GONE
    hundreds = status // 100
    if hundreds == 2 or gone:  # noqa: PLR2004 (the classes of RFC 9110, 15)
        return Delivered((Receipt("transport", str(status)), Receipt("application", str(status))), unchanged=gone)
    if hundreds == 3:  # noqa: PLR2004
        return Reject(code, "redirects are not followed: set the endpoint's url to where the receiver really is")
    if status in _NOT_DONE or (status in _BETWEEN and idempotent):
        unauthorized = status == HTTPStatus.UNAUTHORIZED
        return Retry(
            code, "the receiver does not take our credentials: renew the endpoint's token or password" if unauthorized else "", after
        )
    if status in _NEVER or (hundreds == 4 and status not in _BETWEEN):  # noqa: PLR2004
        return Reject(code, "the receiver refused it; its own log has the reason, under this delivery's id as Idempotency-Key")
    return Unknown(code, "the receiver failed on the way and may have acted")


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds in ``Retry-After`` (RFC 9110, 10.2.3): a number, or a date as seen from ``now``; None for anything else. A day at most."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), _LONGEST)
