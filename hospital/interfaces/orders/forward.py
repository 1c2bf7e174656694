"""Forwarding: an order as its sender wrote it, in a form that every receiver reads, under a header of our own."""

from __future__ import annotations

from isthmus.formats.hl7v2 import Hl7

APPLICATION, FACILITY = b"ISTHMUS", b"HOSPITAL"
"""MSH-3 and MSH-4 of what we send."""

_BREAKING = ((b"\r\n", b".br"), (b"\r", b".br"), (b"\n", b".br"), (b"\x0b", b"X0B"), (b"\x1c", b"X1C"))


def as_document(message: Hl7) -> bytes:
    r"""The message's segments, each ended by CR as the standard has it (HL7 v2.5.1 §2.6); every field as it was.

    Line breaks inside a field, and the bytes that frame messages in MLLP, are written as escape sequences (``\.br\``, ``\X0B\``): sent
    on as they stand, they would break the message apart for its next reader.
    """
    document = b"".join(_mended(line, message.encoding.escape) + b"\r" for line in message.lines.order)
    if message.view in message.raw:
        return document
    return _with(document, {18: b"UNICODE UTF-8"})  # it was read from a charset whose characters hide delimiters, and written anew


def _mended(line: bytes, escape: bytes) -> bytes:
    for breaking, named in _BREAKING:
        if breaking in line:
            line = line.replace(breaking, escape + named + escape if escape else b" ")
    return line


def under_our_name(document: bytes) -> bytes:
    """MSH-3 and MSH-4 are ours. MSH-10 is left to the connector. MSH-15 and MSH-16 are empty: original mode, in which the laboratory's
    application itself answers on the same connection, so its acknowledgement is tracked with the delivery (§2.9.2).
    """
    return _with(document, {3: APPLICATION, 4: FACILITY, 10: b"", 15: b"", 16: b""})


def _with(document: bytes, fields: dict[int, bytes]) -> bytes:
    """The document with other fields in MSH; a field behind the last one is added only where it says something."""
    header, _, rest = document.partition(b"\r")
    separator = header[3:4]
    parts = header.split(separator)  # MSH-1 is the separator itself, so field n is part n - 1
    for number, value in fields.items():
        if value:
            parts += [b""] * (number - len(parts))
        if number <= len(parts):
            parts[number - 1] = value
    return separator.join(parts) + b"\r" + rest
