"""Contract: which messages an interface takes and what they must hold, as a conformance profile compiled once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo

from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.failure import Bug
from isthmus.formats.hl7v2.checks import Check, observed_type, severity
from isthmus.formats.hl7v2.delimiters import STANDARD
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.format import HL7V2, Hl7v2
from isthmus.formats.hl7v2.place import place, read_place
from isthmus.formats.hl7v2.rules import Rule
from isthmus.formats.hl7v2.structure import Structure

_KINDS = 256
"""Kinds of message whose profile is remembered."""


class Contract:
    """``Contract("ADT^A01", "ADT^A03", version="2.5.1", required=("PID-3", "PV1-19"))``; satisfies ``core.contract.Contract[Hl7]``.

    ``required`` names fields that every message has to value (so their segments have to be there); ``rules`` say the rest.
    ``structure`` is the order of segments in the standard's own notation (``MSH EVN PID [PD1] [{NK1}] PV1``), one for all kinds or one
    per kind. ``zone`` is where times without an offset are (``Europe/Zurich``). A version other than agreed is a warning: senders
    rarely tell the truth there, and nothing depends on it.
    """

    def __init__(
        self,
        *kinds: str,
        version: str = "",
        required: Iterable[str] = (),
        rules: Iterable[Rule] = (),
        structure: str | Mapping[str, str] = "",
        zone: str = "UTC",
    ) -> None:
        self._kinds = kinds
        self.version = version
        self.required = tuple(required)
        self.rules = tuple(rules)
        self.structure = structure
        self._format = HL7V2 if zone == "UTC" else Hl7v2(_zone(zone))
        self._structures = _structures(structure)
        self._checks: dict[str, list[Check]] = {}
        self._counts: list[Rule] = []
        self._demanded: dict[str, list[Check]] = {}
        self._profiles: dict[str, _Profile] = {}
        for path in self.required:
            self._add(Rule(place=path, usage="R", min=1), must=True)
        for one in self.rules:
            self._add(one, must=False)

    def _add(self, one: Rule, *, must: bool) -> None:
        at = place(one.place)
        if at.occurrence or at.repetition:
            raise Bug("rule", f"{one.place}: a rule holds for every occurrence and repetition; leave the numbers in brackets away")
        if not at.field:
            self._counts.append(one if one.usage != "R" or one.min else Rule(place=one.place, min=1, max=one.max, only=one.only))
        elif must:
            self._demanded.setdefault(at.segment, []).append(Check(at, one, must=True))
        else:
            self._checks.setdefault(at.segment, []).append(Check(at, one))

    @property
    def format(self) -> Hl7v2:
        return self._format

    @property
    def kinds(self) -> tuple[str, ...]:
        return self._kinds

    def check(self, document: Hl7) -> tuple[Violation, ...]:
        """Every violation at once, in the order of the message."""
        found: list[Violation] = list(document.oddities())
        if self.version and document.version != self.version:
            found.append(Violation("MSH-12", "version", f"send version {self.version}, as agreed", "warning"))
        profile = self._profiles.get(kind := document.kind)
        if profile is None:
            if len(self._profiles) >= _KINDS:  # kinds come from outside, where a contract takes ``ADT^*``
                self._profiles.clear()
            profile = self._profiles[kind] = self._profile(kind)
        for one in profile.counts:
            found.extend(_count(one, document.lines.count(one.place.encode())))
        usual = document.encoding.delimiters == STANDARD
        for visit in profile.visits:
            visit.run(document, found, usual=usual)
        if profile.structure is not None:
            found.extend(profile.structure.check(document.lines.names()))
        return tuple(_in_order(found, document)) if found else ()

    def _profile(self, kind: str) -> _Profile:
        """What holds for one kind of message."""
        visits: list[_Visit] = []
        for name in dict.fromkeys((*self._demanded, *self._checks)):
            checks = tuple(one for one in self._checks.get(name, ()) if not one.rule.only or kind in one.rule.only)
            varies = any(one.rule.type == "OBX-2" for one in checks)
            visits.append(_Visit(name.encode(), tuple(self._demanded.get(name, ())), checks, varies))
        counts = tuple(one for one in self._counts if not one.only or kind in one.only)
        return _Profile(counts, tuple(visits), self._structures.get(kind) or self._structures.get(""))


class _Visit(Struct, frozen=True):
    """What is looked at in every segment of one name."""

    name: bytes
    demanded: tuple[Check, ...]
    """What ``required`` names: its segment has to be there."""
    checks: tuple[Check, ...]
    varies: bool
    """The type of a value is said by OBX-2."""

    def run(self, document: Hl7, found: list[Violation], *, usual: bool) -> None:
        segments = document.named(self.name)
        if not segments:
            name = self.name.decode()
            found.extend(Violation(one.rule.place, "required", f"send a value here, in a segment {name}") for one in self.demanded)
        for segment in segments:
            fields = segment.fields
            for check in (*self.demanded, *self.checks):
                if not (usual and check.passes(fields)):
                    check.run(segment, found)
            if self.varies:
                observed_type(segment, found)


class _Profile(Struct, frozen=True):
    """A contract for one kind of message, worked out when the first of it comes."""

    counts: tuple[Rule, ...]
    visits: tuple[_Visit, ...]
    structure: Structure | None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Bug("zone", f"{name!r} is no time zone known here: write Europe/Zurich, or install tzdata") from None


def _structures(structure: str | Mapping[str, str]) -> dict[str, Structure]:
    if isinstance(structure, str):
        return {"": Structure(structure)} if structure else {}
    return {kind: Structure(text) for kind, text in structure.items()}


def _count(one: Rule, count: int) -> Iterator[Violation]:
    if one.usage == "X" and count:
        yield Violation(one.place, "usage", "leave this segment away; it is not part of the agreement", severity(one, "usage"))
    if not count and one.min:
        yield Violation(one.place, "required", "send this segment", severity(one, "required"))
    elif count < one.min:
        yield Violation(one.place, "cardinality", f"send this segment at least {one.min} times", severity(one, "cardinality"))
    if one.max and count > one.max:
        cure = "send this segment at most " + ("once" if one.max == 1 else f"{one.max} times")
        yield Violation(f"{one.place}[{one.max + 1}]", "cardinality", cure, severity(one, "cardinality"))


def _in_order(found: list[Violation], document: Hl7) -> list[Violation]:
    """In the order of the document; what concerns no segment that is there comes last."""
    position: dict[tuple[str, int], int] = {}
    seen: dict[str, int] = {}
    for index, name in enumerate(document.lines.names()):
        seen[name] = number = seen.get(name, 0) + 1
        position[name, number] = index

    def rank(one: Violation) -> tuple[int, int, int, int, int]:
        at = read_place(one.where)
        if at is None:
            return (len(position), 0, 0, 0, 0)
        return (position.get((at.segment, at.occurrence or 1), len(position)), at.field, at.repetition, at.component, at.subcomponent)

    return sorted(found, key=rank)
