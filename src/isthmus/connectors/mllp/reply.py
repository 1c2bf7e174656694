"""What an acknowledgement means for a delivery. Pure.

| MSA-1 | outcome |
|---|---|
| AA | delivered: transport and application receipt |
| CA | delivered: transport receipt; the application's answer follows, if it was asked for |
| AE, AR, CE, CR | reject, with the receiver's error code and place |
| the same with error 206 (record locked) or 207 (internal error) | retry: nothing is wrong with the message (table 0357) |
"""

from __future__ import annotations

import re

from msgspec import Struct

from isthmus.core.outcome import Outcome, Receipt, Reject, Retry
from isthmus.formats.hl7v2 import Acknowledgement, Hl7

_PASSING = frozenset(("206", "207"))
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,20}\Z")
_PLACE = re.compile(r"[A-Z][A-Z0-9]{2}[0-9\[\].-]*\Z")


class Expects(Struct, frozen=True):
    """Which answers a message asks for."""

    control_id: str
    accept: bool
    """An accept acknowledgement (CA) comes first."""
    application: bool
    """An application acknowledgement (AA) is asked for."""


def expects(body: bytes) -> Expects:
    """By MSH-15 and MSH-16; both empty is original mode (§2.9.2), else enhanced mode (§2.9.3)."""
    message = Hl7(body)
    accept, application = message["MSH-15"], message["MSH-16"]
    original = not (accept or application)
    return Expects(message.control_id, accept == "AL", original or application == "AL")


def receipt_of(answer: Acknowledgement) -> Receipt:
    """``reference``: the answer's own control id, where it has the form of one."""
    return Receipt("application" if answer.application else "transport", answer.code, answer.own_id if _TOKEN.match(answer.own_id) else "")


def receipts_of(answer: Acknowledgement, before: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    """All receipts so far. An AA without a CA before it proves that the bytes were taken, too."""
    transported = () if before or not answer.application else (Receipt("transport", answer.code),)
    return (*before, *transported, receipt_of(answer))


def refusal(answer: Acknowledgement, before: tuple[Receipt, ...]) -> Outcome:
    """The outcome of a message that was not taken. Of the answer only codes and places are told: its texts may quote the message."""
    code = f"hl7-{answer.code}".lower()
    error = answer.error_code if _TOKEN.match(answer.error_code) else ""
    place = answer.location if _PLACE.match(answer.location) else ""
    detail = answer.code + (f", error {error}" if error else "") + (f", at {place}" if place else "")
    if error in _PASSING:
        return Retry(code, detail)
    return Reject(code, detail, receipts_of(answer, before))
