"""What an acknowledgement says, for sources whose protocol has a verdict of its own (a status, a folder).

The receiver builds the answer in the message's format; a source passes it on and needs to know no more of it than this.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

Said = Literal["taken", "refused", "busy"]

_BUSY_HL7 = (b"206", b"207")  # table 0357: application record locked, application internal error


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
    """ERR-3 (2.5 and later) or ERR-1.4 says that it is not the message's fault."""
    if not is_hl7(answer):
        return False
    field, component = answer[3:4], answer[4:5]
    errors = (line.split(field) for line in answer.split(b"\r") if line.startswith(b"ERR"))
    return any(part in _BUSY_HL7 for error in errors for place in error[1:4:2] for part in place.replace(b"&", component).split(component))
