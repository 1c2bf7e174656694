"""Lines: which bytes of a message are which segment.

The standard ends a segment with CR and nothing else (HL7 v2.5.1 §2.6); senders also write LF and CRLF, and mix them. So any of these
begins a new line, and a line is a segment when it begins with a segment's name and a field separator. A line that does not:

- goes on with the segment before it (a line break inside a field), with the line break kept in the field's text;
- belongs to nothing when a blank line stands before it and it holds no field separator (prose between segments).

Both are told as warnings.
"""

from __future__ import annotations

import re
from functools import lru_cache

from isthmus.core.contract import Violation

_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_SAID = 20  # of such lines; who sends a letter as a message need not be told of each line


class Lines:
    """The segments of a message in their order."""

    __slots__ = ("keys", "odd", "order", "separator")

    def __init__(self, order: list[bytes], keys: list[bytes], separator: bytes, odd: tuple[Violation, ...] = ()) -> None:
        self.order = order
        self.keys = keys
        """Of each segment, its name and the field separator: what is searched, at the speed of C."""
        self.separator = separator
        self.odd = odd
        """What tells of lines that are no segments."""

    def index(self, name: bytes, occurrence: int) -> int:
        """Where the n-th segment of this name stands; -1 where there is none."""
        key, keys = name + self.separator, self.keys
        if key not in keys:
            return -1
        index = keys.index(key)
        while occurrence > 1:
            if key not in keys[index + 1 :]:
                return -1
            index = keys.index(key, index + 1)
            occurrence -= 1
        return index

    def indexes(self, name: bytes) -> list[int]:
        key, keys = name + self.separator, self.keys
        count = keys.count(key)
        if count <= 1:
            return [keys.index(key)] if count else []
        return [index for index, one in enumerate(keys) if one == key]

    def count(self, name: bytes) -> int:
        return self.keys.count(name + self.separator)

    def names(self) -> list[str]:
        return [key[:3].decode("latin-1") for key in self.keys]


def read_lines(view: bytes, separator: bytes) -> Lines:
    order = view.splitlines()
    if len(separator) == 1:
        keys = [line[:4] for line in order]
        if _are_keys(frozenset(keys), separator):
            return Lines(order, keys, separator)
    spans, odd = segment_spans(view, separator)
    order = [view[start:end] for start, end in spans]
    return Lines(order, [line[:3] + separator for line in order], separator, tuple(odd[:_SAID]))


@lru_cache(maxsize=1024)
def _are_keys(keys: frozenset[bytes], separator: bytes) -> bool:
    """True where each is a segment's name and the separator. Feeds use few combinations of segments, so they are remembered."""
    return all(key[3:] == separator and _NAME.fullmatch(key[:3]) is not None for key in keys)


def segment_spans(view: bytes, separator: bytes) -> tuple[list[tuple[int, int]], list[Violation]]:
    """Where each segment begins and ends (its terminator not included), and what is odd."""
    spans: list[tuple[int, int]] = []
    odd: list[Violation] = []
    position, blank = 0, False
    for number, line in enumerate(view.splitlines(keepends=True), 1):
        content = line.rstrip(b"\r\n")
        start, end = position + len(content) - len(content.lstrip(b" \t")), position + len(content)
        position += len(line)
        if not content.strip(b" \t\x00\x0b\x1a\x1c"):
            blank = True
            continue
        if begins_segment(content.lstrip(b" \t"), separator):
            spans.append((start, end))
        elif not spans or (blank and separator not in content):
            odd.append(
                Violation(f"line {number}", "line", "begin each line with a segment's name; this one belongs to no segment", "warning")
            )
        else:
            spans[-1] = (spans[-1][0], end)
            cure = "write line breaks inside a field as \\.br\\; this line was read as part of the segment before it"
            odd.append(Violation(f"line {number}", "line", cure, "warning"))
        blank = False
    return spans, odd


def begins_segment(line: bytes, separator: bytes) -> bool:
    """True for a segment's name with a field separator behind it, or all alone."""
    return _NAME.fullmatch(line[:3]) is not None and (line.startswith(separator, 3) or not line[3:].strip())
