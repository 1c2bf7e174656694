"""Giants: values of megabytes are taken out of what is split, so that reading a message of 100 MB costs what its small parts cost.

A message is split by lines, fields and components, and each split copies what it splits; an embedded document would be copied at every
level. So blocks of a large message that hold no delimiter, no line's end and nothing but ASCII (which is what base64 looks like) are
replaced by a mark before anything is split. Who reads such a value gets all of it, and pays for it; who makes a claim check of it does
not.
"""

from __future__ import annotations

import re

from isthmus.formats.hl7v2.delimiters import Delimiters

LARGE = 1 << 20
"""Bytes from which on a message is looked through for giants."""
_BLOCK = 1 << 15
"""Bytes that have to be free of delimiters; what is left of a giant before and after its blocks stays where it is."""
_BEGINS, _ENDS = b"\x02\x02", b"\x03"
_MARK = re.compile(rb"\x02\x02(\d+)\x03")


class Giants:
    """What was taken out of one message: which ranges of its original bytes, and where their marks stand."""

    __slots__ = ("_marks", "_ranges", "_raw")

    def __init__(self, raw: bytes, ranges: list[tuple[int, int]]) -> None:
        self._raw = raw
        self._ranges = ranges
        self._marks = [b"%b%d%b" % (_BEGINS, number, _ENDS) for number in range(len(ranges))]

    def slim(self) -> bytes:
        """The message with its marks."""
        pieces: list[bytes] = []
        position = 0
        for (start, end), mark in zip(self._ranges, self._marks, strict=True):
            pieces += (self._raw[position:start], mark)
            position = end
        return b"".join((*pieces, self._raw[position:]))

    def restore(self, part: bytes) -> bytes:
        """A part of the slim message as it was sent; a copy."""
        if _BEGINS not in part:
            return part
        return _MARK.sub(lambda found: self._raw[slice(*self._ranges[int(found[1])])], part)

    def offset(self, position: int) -> int:
        """Where in the original bytes stands what is at this position of the slim message, outside of any mark."""
        for (start, end), mark in zip(self._ranges, self._marks, strict=True):
            if position <= start:
                break
            position += end - start - len(mark)
        return position


def find_giants(raw: bytes, begin: int, delimiters: Delimiters) -> Giants | None:
    """The giants of a message whose MSH stands at ``begin``; None where it has none, or where its bytes could be taken for a mark or shift between charsets."""
    if _BEGINS in raw or b"\x1b" in raw:
        return None
    cuts = tuple(filter(None, (b"\r", b"\n", delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent)))
    ranges: list[tuple[int, int]] = []
    first = min(
        (end for end in (raw.find(b"\r", begin), raw.find(b"\n", begin)) if end >= 0), default=len(raw)
    )  # MSH says how to read the rest
    for start in range(_BLOCK + first - first % _BLOCK, len(raw) - _BLOCK + 1, _BLOCK):
        end = start + _BLOCK
        if any(raw.find(cut, start, end) >= 0 for cut in cuts) or not raw[start - 1 : end].isascii():
            continue  # the byte before it counts too: it might be the first half of a character
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return Giants(raw, ranges) if ranges else None
