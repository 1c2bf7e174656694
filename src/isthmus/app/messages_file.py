"""The messages in a file, whatever holds them: one document, many HL7 v2 messages, a batch, MLLP frames."""

from __future__ import annotations

from isthmus.formats.hl7v2.batch import split

_BOM = b"\xef\xbb\xbf"
_HL7 = (b"MSH", b"FHS", b"BHS")


def messages_in(data: bytes) -> list[bytes]:
    """Each message's bytes, unchanged. What is no HL7 v2 is one message by itself (a JSON document, a row file)."""
    start = data.removeprefix(_BOM).lstrip(b"\x0b\r\n\t ")
    if start.startswith(_HL7):
        return list(split(data).messages)
    return [data] if data.strip() else []
