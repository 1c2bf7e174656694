"""What an acknowledgement says, for sources whose protocol has a verdict of its own (a status, a folder).

The receiver builds the answer in the message's format; a source passes it on and needs to know no more of it than this.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import Hl7, acknowledge

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
    """Whether it says what the format says of a full backlog. Its error code alone would not do: 207 stands for much else."""
    if not is_hl7(answer):
        return False
    try:
        busy = acknowledge(answer, "busy", (), reply_id="", at="")
        return busy is not None and _told(answer) == _told(busy)
    except Invalid:
        return False


def _told(answer: bytes) -> tuple[str, str]:
    """Text (until version 2.6) and the rule's name (from 2.5 on)."""
    message = Hl7(answer)
    return message["MSA-3"], message["ERR-5"]
