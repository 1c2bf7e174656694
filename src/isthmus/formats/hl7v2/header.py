"""Header: the four fields of MSH that the receiver reads before it keeps a message; about a microsecond."""

from __future__ import annotations

import re
from functools import lru_cache

from isthmus.core.contract import Header
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.kind import kind

WHOLE_MSH = re.compile(rb"MSH\|\^~\\&#?\|[^\r\n]*(?=[\r\n]+[A-Z][A-Z0-9]{2}\||[\r\n]*\Z)")
"""An MSH with usual delimiters which surely ends where its line ends, for the next one begins a segment."""

_CAREFULLY = re.compile(r'[^ -~]|[\\~&"]')
"""Other charsets, escapes, repetitions, sub-components and nulls are read by the document, not here."""


def read_header(body: bytes) -> Header:
    """Kind, sender (``APPLICATION|FACILITY``) and control id; raises ``Invalid`` where there is no MSH."""
    line = WHOLE_MSH.match(body)
    if line is not None:
        fields = line[0].split(b"|", 10)
        if len(fields) > 9:  # noqa: PLR2004 - MSH-10 is there
            what, sender, control_id = _kind(fields[8]), _sender(fields[2], fields[3]), fields[9]
            if what and sender and control_id.isalnum():
                return Header(what, sender, control_id.decode())
    return _carefully(body)


@lru_cache(maxsize=1024)
def _kind(msh9: bytes) -> str:
    """Empty where MSH-9 alone does not tell, or has to be read with care. Kinds and senders are few, so they are remembered."""
    parts = msh9.decode("latin-1").split("^")
    return kind(parts[0], parts[1], "") if len(parts) > 1 and parts[1] and not _CAREFULLY.search("".join(parts)) else ""


@lru_cache(maxsize=1024)
def _sender(msh3: bytes, msh4: bytes) -> str:
    """Empty where it has to be read with care."""
    names = [field.decode("latin-1").split("^")[0].rstrip(" ") for field in (msh3, msh4)]
    plain = not _CAREFULLY.search("".join(names)) and all(name or not field for name, field in zip(names, (msh3, msh4), strict=True))
    return "|".join(names) if plain else ""


def _carefully(body: bytes) -> Header:
    message = Hl7(body)
    sender = "|".join(message[f"{field}.1"] or message[f"{field}.2"] for field in ("MSH-3", "MSH-4"))
    return Header(kind=message.kind, sender=sender, control_id=message.control_id)
