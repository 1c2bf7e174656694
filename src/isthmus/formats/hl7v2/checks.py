"""Checks: the rules of a profile compiled to what runs over a segment's raw fields. Values never get into a violation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from isthmus.core.contract import Violation
from isthmus.formats.hl7v2 import primitive
from isthmus.formats.hl7v2.encoding import Encoding
from isthmus.formats.hl7v2.field import first
from isthmus.formats.hl7v2.place import Place
from isthmus.formats.hl7v2.rules import Rule
from isthmus.formats.hl7v2.segment import Segment

Severity = Literal["error", "warning"]
_ERRORS = frozenset(("required", "cardinality"))

FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "NM": (primitive.is_number, "write a number: digits, at most one decimal point, a leading sign"),
    "SI": (primitive.is_sequence_id, "write a whole number of at most four digits"),
    "DT": (primitive.is_date, "write a date as YYYY[MM[DD]]"),
    "TM": (lambda text: primitive.time_of_day(text) is not None, "write a time as HH[MM[SS[.SSSS]]][+ZZZZ]"),
    "DTM": (lambda text: primitive.moment(text) is not None, "write YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ]"),
    "TS": (lambda text: primitive.moment(text) is not None, "write YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ]"),
}
"""How the types with a form of their own are read, and told."""

TYPES = frozenset((
    "AD", "AUI", "CCD", "CCP", "CD", "CE", "CF", "CK", "CM", "CN", "CNE", "CNN", "CP", "CQ", "CSU", "CWE", "CX", "DDI", "DIN", "DLD", "DLN",
    "DLT", "DR", "DT", "DTM", "DTN", "ED", "EI", "EIP", "ELD", "ERL", "FC", "FN", "FT", "GTS", "HD", "ICD", "ID", "IS", "JCC", "LA1", "LA2",
    "MA", "MO", "MOC", "MOP", "MSG", "NA", "NDL", "NM", "NR", "OCD", "OSD", "OSP", "PIP", "PL", "PLN", "PN", "PPN", "PRL", "PT", "PTA",
    "QIP", "QSC", "RCD", "RFR", "RI", "RMC", "RP", "RPT", "SAD", "SCV", "SI", "SN", "SNM", "SPD", "SPS", "SRT", "ST", "TM", "TN", "TQ",
    "TS", "TX", "UVC", "VH", "VID", "VR", "WVI", "WVS", "XAD", "XCN", "XON", "XPN", "XTN",
))  # fmt: skip
"""Table 0440 with the types of older versions (0125): what OBX-2 may say."""


_RAW_TYPES = frozenset(name.encode() for name in TYPES)
_FORMLESS = frozenset(name.encode() for name in TYPES - FORMS.keys())
_MOMENT = re.compile(
    rb"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|1\d|2[0-8])(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?(?:[+-](?:0\d|1[0-2])00)?"
)


def _plain_number(raw: bytes) -> bool:
    return raw.replace(b".", b"", 1).isdigit()


_PLAIN: dict[bytes, Callable[[bytes], object]] = {b"NM": _plain_number, b"DTM": _MOMENT.fullmatch, b"TS": _MOMENT.fullmatch}
"""By type: which single values surely have its form. Nearly all do; the rest is read as text, slowly and exactly."""


class Check:
    """One rule at one field or component, with what it asks for worked out once."""

    __slots__ = ("_codes", "_counted", "_demands", "_field", "_narrow", "_simple", "_type", "_valued", "at", "rule")

    def __init__(self, at: Place, rule: Rule, *, must: bool = False) -> None:
        """``must``: the field has to be there even where only one of its components is required."""
        self.at = at
        self.rule = rule
        self._demands = must or rule.min > 0 or (rule.usage == "R" and not at.component)
        self._counted = not at.component and (rule.max > 0 or rule.min > 1)
        self._valued = rule.usage == "X" or bool(rule.length or rule.codes or rule.type)
        self._field = at.field
        self._simple = rule.usage != "X" and rule.min <= 1 and at.component <= 1 and at.subcomponent <= 1 and not at.delimits
        self._codes = frozenset(code.encode() for code in rule.codes)
        self._type = rule.type.encode()
        self._narrow = self._counted or bool(rule.length or rule.codes or at.component)

    def passes(self, fields: list[bytes]) -> bool:
        """True where the field surely holds the rule; where not, :meth:`run` says. For messages with the standard's delimiters."""
        raw = fields[self._field] if self._field < len(fields) else b""
        if not raw:
            return not self._demands
        if not self._simple:
            return False
        kind = self._type
        if kind == b"OBX-2":
            kind = fields[2] if len(fields) > 2 else b"?"  # noqa: PLR2004 - OBX-2
        if kind and kind not in _FORMLESS:
            plain = _PLAIN.get(kind)
            if plain is None or not plain(raw):
                return False
        elif not raw.isalnum():  # perhaps several values, perhaps escaped: well if it is enough that something is there
            return not self._narrow and raw[:1].isalnum()
        return (not self.rule.length or len(raw) <= self.rule.length) and (not self._codes or raw in self._codes)

    def run(self, segment: Segment, found: list[Violation]) -> None:
        """Add what is wrong with it in this segment."""
        at, fields = self.at, segment.fields
        raw = fields[at.field] if at.field < len(fields) else b""
        encoding = segment.encoding
        if encoding.empty(raw):
            if self._demands:
                found.append(self._say(segment, 0, "required", "send a value here"))
            return
        repeated = encoding.repetition and encoding.repetition in raw and not at.delimits
        repetitions = raw.split(encoding.repetition) if repeated else [raw]
        if self._counted:
            self._count(segment, len(repetitions), found)
        for number, repetition in enumerate(repetitions, 1):
            shown = number if repeated else 0
            part = self._part(repetition, encoding) if at.component else repetition
            if encoding.empty(part):
                if at.component and self.rule.usage == "R":
                    found.append(self._say(segment, shown, "required", "send a value here"))
            elif self._valued:
                self._value(segment, shown, part, found)

    def _count(self, segment: Segment, count: int, found: list[Violation]) -> None:
        rule = self.rule
        if rule.max and count > rule.max:
            found.append(self._say(segment, 0, "cardinality", f"send it at most {_times(rule.max)}"))
        if count < rule.min:
            found.append(self._say(segment, 0, "cardinality", f"send it at least {_times(rule.min)}"))

    def _part(self, repetition: bytes, encoding: Encoding) -> bytes:
        for delimiter, number in ((encoding.component, self.at.component), (encoding.subcomponent, self.at.subcomponent)):
            if number:
                parts = encoding.split(repetition, delimiter)
                repetition = parts[number - 1] if number <= len(parts) else b""
        return repetition

    def _value(self, segment: Segment, repetition: int, part: bytes, found: list[Violation]) -> None:
        rule, encoding = self.rule, segment.encoding
        if rule.usage == "X":
            found.append(self._say(segment, repetition, "usage", "leave this away; it is not part of the agreement"))
        if rule.length and len(encoding.text(part)) > rule.length:
            found.append(self._say(segment, repetition, "length", f"shorten it to {rule.length} characters"))
        if rule.codes and encoding.text(part if self.at.delimits else first(part, encoding)) not in rule.codes:
            found.append(self._say(segment, repetition, "code-set", _codes(rule)))
        if rule.type:
            kind: str = rule.type if rule.type != "OBX-2" else encoding.text(first(segment.fields[2], encoding)).strip().upper()
            form = FORMS.get(kind)
            if form is not None and not form[0](encoding.text(first(part, encoding) if kind == "TS" else part)):
                found.append(self._say(segment, repetition, "type", form[1]))

    def _say(self, segment: Segment, repetition: int, rule: str, cure: str) -> Violation:
        at = self.at
        occurrence = segment.occurrence if segment.occurrence > 1 else 0
        where = Place(at.segment, occurrence, at.field, repetition, at.component, at.subcomponent)
        return Violation(str(where), rule, cure, severity(self.rule, rule))


def observed_type(segment: Segment, found: list[Violation]) -> None:
    """OBX-2 itself, for rules of type OBX-2: it has to name a type where OBX-5 has a value (§7.4.2.2)."""
    fields, encoding = segment.fields, segment.encoding
    if len(fields) <= 5 or fields[2] in _RAW_TYPES or encoding.empty(fields[5]):  # noqa: PLR2004 - OBX-5
        return
    name = encoding.text(fields[2]).strip().upper()
    if name in TYPES:
        return
    if not name:
        found.append(Violation(f"{segment.where}-2", "required", "name the type of the value in OBX-5", "warning"))
    else:
        cure = "send just the name of a type of table HL70125, such as NM, ST, TX or CWE"
        found.append(Violation(f"{segment.where}-2", "code-set", cure, "warning"))


def severity(rule: Rule, broken: str) -> Severity:
    return rule.severity or ("error" if broken in _ERRORS else "warning")


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _codes(rule: Rule) -> str:
    named = f" of table {rule.table}" if rule.table else ""
    listed = sorted(rule.codes)
    return f"send one of {', '.join(listed)}{named}" if len(listed) <= 12 else f"send one of the {len(listed)} agreed codes{named}"  # noqa: PLR2004
