"""Lines: which bytes of a message are which segment.

The standard ends a segment with CR and nothing else (HL7 v2.5.1 §2.6); senders also write LF and CRLF, and mix them. So any of these
begins a new line, and a line is a segment when it begins with a segment's name and a field separator. A line that does not:

- goes on with the segment before it, with the line break kept in the field's text, if it or a line that follows it before the next
  segment holds a field separator (a field broken in the middle); if it stands behind a lone LF where the message ends its MSH with CR (LF
  is then text, as the standard has it); or if that segment ends in a field for narrative (NTE-3, OBX-5);
- belongs to nothing otherwise: prose between segments.

All are told as warnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from isthmus.core.contract import Violation

_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_NARRATIVE = {b"NTE": 3, b"OBX": 5, b"AL1": 5, b"IAM": 5, b"DG1": 4, b"OBR": 13, b"MSA": 3}
"""Fields that hold sentences; a line that follows one which is the last of its segment belongs to it. Z segments may hold any."""
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
        if occurrence > 1:
            found = self.indexes(name)
            return found[occurrence - 1] if occurrence <= len(found) else -1
        key, keys = name + self.separator, self.keys
        return keys.index(key) if key in keys else -1

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


class _Loose(NamedTuple):
    """A line that begins no segment."""

    number: int
    end: int
    inside: bool
    """It is surely the rest of a field: it holds a field separator, or stands behind an LF that ends no segment."""
    after_blank: bool
    lower: bool
    """It would begin a segment if its first three letters were capitals."""


def segment_spans(view: bytes, separator: bytes) -> tuple[list[tuple[int, int]], list[Violation]]:
    """Where each segment begins and ends (its terminator not included), and what is odd."""
    spans: list[tuple[int, int]] = []
    odd: list[Violation] = []
    loose: list[_Loose] = []
    position, blank, ending = 0, False, b""
    by_cr = _ends_with_cr(view)
    for number, line in enumerate(view.splitlines(keepends=True), 1):
        content, before, ending = line.rstrip(b"\r\n"), ending, line[-2:]
        start, end = position, position + len(content)
        position += len(line)
        if content[:1] in (b" ", b"\t"):
            content = content.lstrip(b" \t")
            start = end - len(content)
        if begins_segment(content, separator):
            if loose:
                odd += _attach(view, separator, spans, loose)
                loose = []
            spans.append((start, end))
        elif not content.strip(b" \t\x00\x0b\x1a\x1c"):
            blank = True
            continue
        else:
            named = content[3:4] == separator and _NAME.fullmatch(content[:3].upper()) is not None
            loose.append(_Loose(number, end, separator in content or (by_cr and before[-1:] == b"\n" and before != b"\r\n"), blank, named))
        blank = False
    odd += _attach(view, separator, spans, loose)
    return spans, odd


def _attach(view: bytes, separator: bytes, spans: list[tuple[int, int]], loose: list[_Loose]) -> Iterator[Violation]:
    """Lengthen the last span by the loose lines after it that belong to it."""
    broken = max((index for index, line in enumerate(loose) if line.inside), default=-1) + 1 if spans else 0
    if broken:
        spans[-1] = (spans[-1][0], loose[broken - 1].end)
    belongs = bool(spans) and _ends_in_narrative(view[slice(*spans[-1])], separator)
    for index, line in enumerate(loose):
        belongs = belongs and not (index >= broken and line.after_blank)
        if index < broken or belongs:
            spans[-1] = (spans[-1][0], max(line.end, spans[-1][1]))
            cure = "write line breaks inside a field as \\.br\\; this line was read as part of the segment before it"
            if line.lower:
                cure = "write the segment's name in capitals; this line was read as part of the segment before it"
        else:
            cure = "begin each line with a segment's name; this one belongs to no segment and was not read"
        yield Violation(f"line {line.number}", "line", cure, "warning")


def _ends_with_cr(view: bytes) -> bool:
    """The first segment ends with CR alone, as the standard wants it."""
    cr, lf = view.find(b"\r"), view.find(b"\n")
    return cr >= 0 and (lf < 0 or cr < lf - 1)


def _ends_in_narrative(segment: bytes, separator: bytes) -> bool:
    return segment[:1] == b"Z" or segment.count(separator) == _NARRATIVE.get(segment[:3])


def begins_segment(line: bytes, separator: bytes) -> bool:
    """True for a segment's name with a field separator behind it, or all alone."""
    return _NAME.fullmatch(line[:3]) is not None and (line.startswith(separator, 3) or not line[3:].strip())
