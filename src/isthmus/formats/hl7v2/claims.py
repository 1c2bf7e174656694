"""Claim checks of values and of embedded documents (type ED, HL7 v2.5.1 §2.A.24), made without copying them."""

from __future__ import annotations

import re

from isthmus.core.claim import ClaimCheck, Stored, check_in
from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.encoding import NULL
from isthmus.formats.hl7v2.lines import segment_spans
from isthmus.formats.hl7v2.place import HEADERS, Place, place

_STORED: dict[str, Stored] = {"BASE64": "base64", "HEX": "hex", "A": "plain", "": "plain"}
"""Table 0299."""
_TYPES = {
    "AP": "application",
    "AU": "audio",
    "FT": "text",
    "IM": "image",
    "NS": "application",
    "SD": "application",
    "SI": "image",
    "TX": "text",
}
"""Table 0191, which came before the names of MIME (table 0834)."""
_KNOWN = frozenset(("application", "audio", "image", "message", "model", "multipart", "text", "video"))
_TOKEN = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")


def claim(message: Hl7, path: str, *, stored: Stored = "plain", media_type: str = "") -> ClaimCheck | None:
    """The claim check of the value at a place; None where nothing stands there. ``plain`` is what was sent, escapes included.

    Raises ``Invalid``: ``encoding`` where it is not what ``stored`` says, ``charset`` where the message is in characters that hide
    delimiters, so that no range of its bytes is the value.
    """
    at = place(path)
    span = _span(message, at)
    if span is None:
        return None
    if message.encoding.charset.wire:
        raise Invalid("charset", f"{message.where(path)}: send embedded documents in a message in ASCII, UTF-8 or a page of 8859")
    start, end = span
    return check_in(message.message_id, message.raw, start, end - start, stored=stored, media_type=media_type)


def embedded(message: Hl7, path: str) -> ClaimCheck | None:
    """The claim check of the document in a field of type ED, as in ``embedded(message, "OBX[2]-5")``: decoded as its fourth component
    says, of the media type that its second and third say. None where it holds no data; ``Invalid`` (``encoding``) where it is not what
    it says.
    """
    said = message[f"{path}.4"].strip().upper()
    if said not in _STORED:
        raise Invalid("encoding", f"{message.where(path)}.4: send Base64, Hex or A (table 0299)")
    return claim(message, f"{path}.5", stored=_STORED[said], media_type=_media_type(message[f"{path}.2"], message[f"{path}.3"]))


def _media_type(kind: str, subtype: str) -> str:
    """``application^pdf``, ``IM^JPEG`` and ``PDF`` are what senders write; what names no type is a stream of octets."""
    kind, subtype = kind.strip(), subtype.strip().lower()
    main = _TYPES.get(kind.upper(), kind.lower())
    if main in _KNOWN and _TOKEN.fullmatch(subtype):
        return f"{main}/{subtype}"
    alone = subtype or main
    return "application/pdf" if alone == "pdf" else "application/octet-stream"


def _span(message: Hl7, at: Place) -> tuple[int, int] | None:
    """Where in the original bytes the value stands."""
    slim, encoding, giants = message.slim, message.encoding, message.encoding.giants
    segment = next(
        (
            span
            for number, span in enumerate(
                (one for one in segment_spans(slim, encoding.field)[0] if slim[one[0] : one[0] + 3] == at.name), 1
            )
            if number == (at.occurrence or 1)
        ),
        None,
    )
    if segment is None:
        return None
    start, end = segment
    field = at.field - 1 if at.name in HEADERS else at.field
    steps = ((encoding.field, field + 1), (encoding.repetition, at.repetition), (encoding.component, at.component))
    for delimiter, number in (*steps, (encoding.subcomponent, at.subcomponent)):
        found = _nth(slim[start:end], delimiter, number or 1)
        if found is None:
            return None
        start, end = start + found[0], start + found[1]
    if start == end or slim[start:end] == NULL:
        return None
    lead = message.raw.find(b"MSH")
    begin, stop = (lead + start, lead + end) if giants is None else (giants.offset(lead + start), giants.offset(lead + end))
    return begin, stop


def _nth(part: bytes, delimiter: bytes, number: int) -> tuple[int, int] | None:
    """Where the n-th of what the delimiter separates begins and ends."""
    start = 0
    for _ in range(number - 1):
        found = part.find(delimiter, start) if delimiter else -1
        if found < 0:
            return None
        start = found + len(delimiter)
    end = part.find(delimiter, start) if delimiter else -1
    return start, end if end >= 0 else len(part)
