"""Errors: violations as ERR segments with the codes of table HL70357 (HL7 v2.5.1 §2.15.5; before v2.5 the one ERR-1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from isthmus.core.contract import Violation
from isthmus.formats.hl7v2.encoding import Encoding
from isthmus.formats.hl7v2.place import Place, read_place

MEANINGS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "198": "Non-Conformant Cardinality",
    "199": "Other HL7 Error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
_CODES = {
    "required": "101", "type": "102", "code-set": "103", "structure": "100", "one-message": "100", "line": "100", "usage": "102",
    "no-msh": "100", "empty": "100", "batch": "100", "delimiters": "102", "charset": "102",
    "kind": "200", "no-interface": "200", "event": "201", "processing-id": "202", "version": "203", "busy": "207",
}  # fmt: skip
_YOUNG = {"length": ("104", (2, 7, 0), "102"), "cardinality": ("198", (2, 9, 0), "100"), "other": ("199", (2, 9, 0), "102")}
"""Codes that the table got later: code, version, and what says it best before."""
_MOST = 10
"""ERR segments in one answer; the last one counts the rest."""

_VERSION = re.compile(r"(\d)\.(\d)(?:\.(\d))?")


def version_of(msh12: str) -> tuple[int, int, int]:
    """Version as numbers; 2.5.1 where none can be read."""
    match = _VERSION.match(msh12)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (2, 5, 1)


def code_for(rule: str, version: tuple[int, int, int]) -> str:
    """The code of table HL70357 for a rule's name. None of these says "try again": that is 207 alone, kept for busy."""
    if rule in MEANINGS:
        return rule
    if rule in _CODES:
        return _CODES[rule]
    code, since, before = _YOUNG.get(rule, _YOUNG["other"])
    return code if version >= since else before


def msa_fields(violation: Violation, encoding: Encoding, version: tuple[int, int, int]) -> bytes:
    """What MSA carries beyond code and control id: MSA-3 (until v2.6) and MSA-6 (until v2.4), from its field separator on."""
    if version >= (2, 7, 0):
        return b""
    text = encoding.field + _text(_told(violation)[:80], encoding)
    return (
        text
        if version >= (2, 5, 0)
        else text + encoding.field * 3 + _coded(code_for(violation.rule, version), encoding, encoding.component)
    )


def error_segments(violations: Sequence[Violation], encoding: Encoding, version: tuple[int, int, int]) -> bytes:
    """ERR segments, each with its terminator; one with repetitions before v2.5."""
    if not violations:
        return b""
    shown = violations[:_MOST]
    field = encoding.field
    if version < (2, 5, 0):
        repeated = [_eld(one, encoding, version) for one in (shown if encoding.repetition else shown[:1])]
        return b"ERR" + field + encoding.repetition.join(repeated) + b"\r"
    lines = [_err(one, encoding, version) for one in shown]
    if len(violations) > _MOST:
        lines[-1] += _text(f" (and {len(violations) - _MOST} more)", encoding)
    return b"".join(line + b"\r" for line in lines)


def _err(violation: Violation, encoding: Encoding, version: tuple[int, int, int]) -> bytes:
    place = read_place(violation.where)
    location = _join(_numbers(place), encoding.component) if place else b""
    code = _coded(code_for(violation.rule, version), encoding, encoding.component)
    severity = b"E" if violation.severity == "error" else b"W"
    told = _text(_told(violation), encoding)
    return encoding.field.join((b"ERR", b"", location, code, severity, _text(violation.rule, encoding), b"", b"", told))


def _eld(violation: Violation, encoding: Encoding, version: tuple[int, int, int]) -> bytes:
    """ELD: segment, sequence, field, and the error as a coded element of sub-components."""
    place = read_place(violation.where)
    parts = [*_numbers(place)[:3], b"", b"", b""][:3] if place else [b""] * 3
    return _join([*parts, _coded(code_for(violation.rule, version), encoding, encoding.subcomponent)], encoding.component)


def _numbers(place: Place) -> list[bytes]:
    """ERL: segment, sequence, field, repetition, component, sub-component, as far as said."""
    numbers = [place.occurrence or 1, place.field, place.repetition, place.component, place.subcomponent]
    while not numbers[-1]:
        numbers.pop()
    return [place.name, *(b"%d" % number if number else b"" for number in numbers)]


def _told(violation: Violation) -> str:
    return f"{violation.where}: {violation.cure}" if violation.where else violation.cure


def _coded(code: str, encoding: Encoding, delimiter: bytes) -> bytes:
    return _join([code.encode(), _text(MEANINGS[code], encoding), b"HL70357"], delimiter)


def _join(parts: list[bytes], delimiter: bytes) -> bytes:
    return delimiter.join(parts) if delimiter else parts[0]


def _text(text: str, encoding: Encoding) -> bytes:
    return encoding.escapes.write(text).encode(encoding.codec, "replace")
