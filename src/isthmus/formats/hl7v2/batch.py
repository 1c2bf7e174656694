"""Batches and files of messages (HL7 v2.5.1 §2.10.3): every byte of a file is accounted for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.formats.hl7v2.charset import wide
from isthmus.formats.hl7v2.counts import count_batches
from isthmus.formats.hl7v2.lines import begins_segment, segment_spans

What = Literal["message", "FHS", "BHS", "BTS", "FTS", "framing", "blank", "text"]
"""message · a header or trailer of a batch or file · framing (VT, FS) · blank (empty lines, byte order mark) · text (anything else)"""

_START = re.compile(rb"(MSH|FHS|BHS|BTS|FTS)(?=[^0-9A-Za-z\s]|[ \t]*(?:[\r\n\x1c]|\Z))")
_BETWEEN = re.compile(rb"(\x1c\r?|\x0b)|((?:[ \t\r\n\x00\x1a]|\xef\xbb\xbf)+)|[^\x0b\x1c]+")
_LINE_END = re.compile(rb"\r\n|\r|\n|")
_STOP = re.compile(rb"[\r\n\x1c]")
_COMMENT = (b"#", b"//", b"--", b"==", b"**", b"<!--", b";")
_BOM = b"\xef\xbb\xbf"


class Piece(Struct, frozen=True):
    """One range of a file. All pieces in their order are the file, byte for byte."""

    what: What
    start: int
    end: int
    line: int
    """Number of the line in which it begins, from 1."""


class Batch(Struct, frozen=True):
    """A file taken apart."""

    messages: tuple[bytes, ...]
    pieces: tuple[Piece, ...]
    violations: tuple[Violation, ...]
    """Wrong counts, missing headers or trailers, and text that is no message, each with its place."""


def split(data: bytes) -> Batch:
    """Take a file apart: one message or many, in batches that are whole or not, framed or not, with anything between them.

    A message goes from its MSH to the line end of its last segment, or to FS. Segments before the first MSH are handed out as a message
    too: it will be refused as unreadable, which is better than not being heard of.
    """
    codec = wide(data)
    if codec:
        return _split_wide(data, codec)
    pieces: list[Piece] = []
    line, position = 1, 0
    for what, start, end in _ranges(data):
        line += _line_ends(data, position, start)
        position = start
        pieces.append(Piece(what, start, end, line))
    messages = tuple(data[piece.start : piece.end] for piece in pieces if piece.what == "message")
    strange = [
        Violation(f"line {piece.line}", "text", "leave away what is no segment; it was not read", "warning")
        for piece in pieces
        if piece.what == "text"
    ]
    counted = count_batches((piece.what, data[piece.start : piece.end]) for piece in pieces)
    return Batch(messages, tuple(pieces), (*strange, *counted))


def begins(data: bytes) -> Iterator[int]:
    """Where messages, batches and files begin and end: before each of these places a file can be cut."""
    return (found.start() for found in _START.finditer(data) if _begins_line(data, found.start()))


def _ranges(data: bytes) -> Iterator[tuple[What, int, int]]:
    starts: list[tuple[What, int]] = [(_what(data[start : start + 3]), start) for start in begins(data)]
    position = 0
    for index, (what, start) in enumerate(starts):
        limit = starts[index + 1][1] if index + 1 < len(starts) else len(data)
        yield from _between(data, position, start)
        position = _message_end(data, start, limit) if what == "message" else _line_end(data, start, limit)
        yield what, start, position
    yield from _between(data, position, len(data))


def _what(name: bytes) -> What:
    match name:
        case b"FHS":
            return "FHS"
        case b"BHS":
            return "BHS"
        case b"BTS":
            return "BTS"
        case b"FTS":
            return "FTS"
    return "message"


def _begins_line(data: bytes, start: int) -> bool:
    before = data[max(0, start - 16) : start].rstrip(b" \t\x00\x1a").removesuffix(_BOM)
    return before[-1:] in (b"\r", b"\n", b"\x0b", b"\x1c") or (not before and start <= 16)  # noqa: PLR2004 - all that was looked at


def _line_end(data: bytes, start: int, limit: int) -> int:
    found = _STOP.search(data, start, limit)
    return limit if found is None else found.start() if found[0] == b"\x1c" else _with_line_end(data, found.start(), limit)


def _with_line_end(data: bytes, end: int, limit: int) -> int:
    found = _LINE_END.match(data, end, limit)
    return end if found is None else found.end()


def _message_end(data: bytes, start: int, limit: int) -> int:
    """Where a message ends that begins here and lies before ``limit``."""
    closed = data.find(b"\x1c", start, limit)
    if closed >= 0:
        return closed
    opened = data.find(b"\x0b", start, limit)  # the frame of the next message
    body = data[start : limit if opened < 0 else opened].rstrip(b" \t\r\n\x00\x1a").removesuffix(_BOM).rstrip(b" \t\r\n\x00\x1a")
    last = body[max(body.rfind(b"\r"), body.rfind(b"\n")) + 1 :]
    if not begins_segment(last, body[3:4]):  # prose may follow the last segment
        spans, _ = segment_spans(body, body[3:4])
        body = body[: spans[-1][1]] if spans else body
    while (cut := max(body.rfind(b"\r"), body.rfind(b"\n"))) >= 0 and body[cut + 1 :].startswith(_COMMENT):
        body = body[:cut].rstrip(b" \t\r\n")
    end = start + len(body)
    return _with_line_end(data, end, limit)


def _between(data: bytes, start: int, end: int) -> Iterator[tuple[What, int, int]]:
    for found in _BETWEEN.finditer(data, start, end):
        if found[1]:
            yield "framing", found.start(), found.end()
        elif found[2]:
            yield "blank", found.start(), found.end()
        else:
            yield "message" if begins_segment(found[0].splitlines()[0], b"|") else "text", found.start(), found.end()


def _line_ends(data: bytes, start: int, end: int) -> int:
    split_in_two = end > start > 0 and data[start - 1 : start + 1] == b"\r\n"  # a frame may end between the two
    return data.count(b"\n", start, end) + data.count(b"\r", start, end) - data.count(b"\r\n", start, end) - split_in_two


def _split_wide(data: bytes, codec: str) -> Batch:
    """A file in UTF-16 or UTF-32: taken apart as UTF-8, its ranges translated back."""
    if codec in ("utf-16", "utf-32"):  # a byte order mark says which end comes first, and stays where it is
        codec += "-le" if data[:1] == b"\xff" else "-be"
    try:
        narrow = data.decode(codec).encode()
    except UnicodeDecodeError:  # it only begins so: one message, to be read as far as it goes
        return Batch((data,), (Piece("message", 0, len(data), 1),), ())
    found = split(narrow)
    position = 0
    pieces: list[Piece] = []
    for piece in found.pieces:
        size = len(narrow[piece.start : piece.end].decode().encode(codec))
        pieces.append(Piece(piece.what, position, position + size, piece.line))
        position += size
    messages = tuple(data[piece.start : piece.end] for piece in pieces if piece.what == "message")
    return Batch(messages, tuple(pieces), found.violations)
