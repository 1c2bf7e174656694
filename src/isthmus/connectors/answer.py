"""What an acknowledgement says, for sources whose protocol has a verdict of its own (a status, a folder).

The receiver builds the answer in the message's format; a source passes it on and needs to know no more of it than this.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import read_acknowledgement

Said = Literal["taken", "refused", "busy"]


class _Status(Struct):
    status: str = ""


def what_it_says(answer: bytes | None, taken: bool) -> Said:
    """busy: the backlog was full and the sender may try again; everything else that was not taken is refused for good."""
    if taken:
        return "taken"
    if answer is None:
        return "refused"
    return "busy" if _busy_json(answer) or _busy_hl7(answer) else "refused"


def is_hl7(answer: bytes) -> bool:
    return answer.startswith(b"MSH")


def is_json(answer: bytes) -> bool:
    return answer.lstrip().startswith(b"{")


def _busy_json(answer: bytes) -> bool:
    if not is_json(answer):
        return False
    try:
        return msgspec.json.decode(answer, type=_Status).status == "busy"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _busy_hl7(answer: bytes) -> bool:
    """AR or CR with 207, application internal error (table 0357): it is not the message's fault."""
    if not is_hl7(answer):
        return False
    try:
        read = read_acknowledgement(answer)
    except Invalid:
        return False
    return read.code in ("AR", "CR") and read.error_code == "207"
