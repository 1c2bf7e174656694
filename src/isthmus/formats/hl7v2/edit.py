"""Editing: one place of an existing message changed, every other byte as it was."""

from __future__ import annotations

from isthmus.core.failure import Bug
from isthmus.formats.hl7v2.encoding import Encoding
from isthmus.formats.hl7v2.lines import segment_spans
from isthmus.formats.hl7v2.place import HEADERS, Place, place
from isthmus.formats.hl7v2.write import Value, write_value


def replace(raw: bytes, view: bytes, encoding: Encoding, path: str, value: Value) -> bytes:
    """The bytes with another value at this place; delimiters that are missing up to there are added. Absent segment: ``Bug``."""
    at = place(path)
    offset = raw.find(view)
    if offset < 0:
        raise Bug("charset", "a message in a charset that hides delimiters cannot be edited in place; build a new one in UTF-8")
    start, end = _span(view, encoding, at)
    fields = view[start:end].split(encoding.field)
    headed = fields[0] in HEADERS
    if not at.field or at.delimits:
        raise Bug("place", f"{path}: whole segments and delimiters cannot be replaced in place; name a field, or build a new message")
    index = at.field - 1 if headed else at.field
    fields += [b""] * (index + 1 - len(fields))
    fields[index] = _exchange(fields[index], _steps(at, encoding), write_value(value, encoding))
    return raw[: offset + start] + encoding.field.join(fields) + raw[offset + end :]


def _span(view: bytes, encoding: Encoding, at: Place) -> tuple[int, int]:
    occurrence = at.occurrence or 1
    for start, end in segment_spans(view, encoding.field)[0]:
        if view[start : start + 3] == at.name:
            occurrence -= 1
            if not occurrence:
                return start, end
    raise Bug("place", f"{at}: the message has no such segment to edit")


def _steps(at: Place, encoding: Encoding) -> list[tuple[bytes, int]]:
    """Delimiter and number of each split on the way to the part that changes."""
    component = at.component or (1 if at.subcomponent else 0)
    steps = [
        (encoding.repetition, at.repetition or (1 if component else 0)),
        (encoding.component, component),
        (encoding.subcomponent, at.subcomponent),
    ]
    return [step for step in steps if step[1]]


def _exchange(raw: bytes, steps: list[tuple[bytes, int]], new: bytes) -> bytes:
    if not steps:
        return new
    (delimiter, number), *deeper = steps
    if not delimiter and number > 1:
        raise Bug("delimiters", "this message declares no delimiter for that; replace the whole field")
    parts = raw.split(delimiter) if delimiter else [raw]
    parts += [b""] * (number - len(parts))
    parts[number - 1] = _exchange(parts[number - 1], deeper, new)
    return delimiter.join(parts)
