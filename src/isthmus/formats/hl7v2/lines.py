"""Lines: which bytes of a message are which segment.

The standard ends a segment with CR and nothing else (HL7 v2.5.1 §2.6); senders also write LF and CRLF, and mix them. So any of these
begins a new line, and a line is a segment when it begins with a segment's name and a field separator. A line that does not:

- goes on with the segment before it (a line break inside a field), with the line break kept in the field's text;
- belongs to nothing when a blank line stands before it and it holds no field separator (prose between segments).

Both are told as warnings.
"""

from __future__ import annotations

import re

from msgspec import Struct

from isthmus.core.contract import Violation

_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_SAID = 20  # of such lines; who sends a letter as a message need not be told of each line


class Lines(Struct):
    """The segments in their order and by name; ``odd`` tells of lines that are none."""

    order: list[bytes]
    named: dict[bytes, list[bytes]]
    odd: tuple[Violation, ...] = ()


def read_lines(view: bytes, separator: bytes) -> Lines:
    order = view.splitlines()
    named: dict[bytes, list[bytes]] = {}
    if len(separator) == 1:
        for line in order:
            if line[3:4] != separator:
                break
            found = named.get(line[:3])
            if found is None:
                named[line[:3]] = [line]
            else:
                found.append(line)
        else:
            if all(map(_NAME.fullmatch, named)):
                return Lines(order, named)
    return _read_odd(view, separator)


def _read_odd(view: bytes, separator: bytes) -> Lines:
    spans, odd = segment_spans(view, separator)
    order = [view[start:end] for start, end in spans]
    named: dict[bytes, list[bytes]] = {}
    for line in order:
        named.setdefault(line[:3], []).append(line)
    return Lines(order, named, tuple(odd[:_SAID]))


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
