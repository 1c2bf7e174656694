"""Reading ORU and OUL: each examination (OBR) with its observations (OBX) and notes (HL7 v2.5.1 §7.3, 7.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from msgspec import Struct, field, structs

from isthmus.core import Invalid, derive_id
from isthmus.core.events import Code, Identifier, Observation, ResultReported
from isthmus.core.events.results import ResultStatus
from isthmus.formats.hl7v2 import Group, Hl7, Segment

from ...moments import moment_of
from ...patient import find_encounter, patient_of

_STATUSES: dict[str, ResultStatus] = {
    "O": "ordered",
    "I": "ordered",
    "S": "ordered",
    "A": "preliminary",
    "P": "preliminary",
    "R": "preliminary",
    "C": "corrected",
    "M": "corrected",
    "X": "cancelled",
    "F": "final",
}
"""OBR-25 (HL7 table 0123); what a sender writes besides counts as final, as nearly all results are."""
_CORRECTED = frozenset(("C", "W", "D"))
"""OBX-11 (table 0085): this observation replaces, withdraws or deletes one that was reported before."""
_ORDER = (b"ORC", b"OBR")


class Report(Struct):
    """The segments of one examination."""

    orc: Segment | None = None
    obr: Segment | None = None
    rest: list[Segment] = field(default_factory=list)

    @property
    def group(self) -> tuple[Segment, ...]:
        return tuple(one for one in (self.orc, self.obr, *self.rest) if one is not None)


def reports_of(message: Hl7) -> tuple[ResultReported, ...]:
    """Every examination as an event; of several under one number and code the second is ``…#2``, so that none hides another."""
    patient, encounter = patient_of(message), find_encounter(message)
    found: list[ResultReported] = []
    seen: dict[str, int] = {}
    for report in _reports(message):
        one = _event(report, message, patient, encounter)
        seen[one.report] = number = seen.get(one.report, 0) + 1
        found.append(structs.replace(one, report=f"{one.report}#{number}") if number > 1 else one)
    if not found:
        raise Invalid("required", "OBR: send the examination that is reported")
    return tuple(found)


def _reports(message: Hl7) -> Iterator[Report]:
    """Split where an examination begins. What stands before the first OBR belongs to it.

    ORU writes an ORC before its OBR; OUL writes it behind, and begins each specimen by an SPM with observations of its own.
    """
    orc_follows = message.kind.startswith("OUL")
    current = Report()
    for segment in message:
        name = segment.raw[:3]
        begins = name in (b"OBR", b"SPM") if orc_follows else name in _ORDER
        if begins and current.obr is not None:
            yield current
            current = Report()
        if name == b"OBR":
            current.obr = segment
        elif name == b"ORC":
            current.orc = segment
        elif name == b"OBX" or (name == b"NTE" and (current.orc or current.obr)):
            current.rest.append(segment)
    if current.obr is not None or any(one.raw[:3] == b"OBX" for one in current.rest):
        yield current


def _event(report: Report, message: Hl7, patient: Identifier, encounter: Identifier | None) -> ResultReported:
    group = Group(report.group, message.zone)
    observations, notes = _observed(report.rest, group.zone)
    placer = _number(group, "OBR-2") or _number(group, "ORC-2")
    filler = _number(group, "OBR-3") or _number(group, "ORC-3")
    code = _code(report.obr, 4) if report.obr is not None else Code("")
    examination = code if code.code or not observations else observations[0].code
    order = filler or placer
    day = group["OBR-7"] or group["OBR-14"] or message["MSH-7"]
    identity = (str(order), examination.code) if order is not None else (str(patient), examination.code, day)
    return ResultReported(
        report="/".join(identity),
        version=derive_id("report", *(segment.raw for segment in report.group))[:16],
        status=_status(group, observations),
        patient=patient,
        encounter=encounter,
        placer_order=placer,
        filler_order=filler,
        examination=examination,
        observations=observations,
        notes=notes,
        at=moment_of(group, "OBR-22", "OBR-7", "OBR-14") or moment_of(message, "MSH-7"),
    )


def _status(group: Group, observations: tuple[Observation, ...]) -> ResultStatus:
    status = _STATUSES.get(group["OBR-25"].strip().upper(), "final")
    return "corrected" if status != "cancelled" and any(one.status in _CORRECTED for one in observations) else status


def _observed(segments: list[Segment], zone: tzinfo) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """Observations, each with the notes behind it, and the notes on the examination as a whole."""
    observations: list[Observation] = []
    general: list[str] = []
    for segment in segments:
        if segment.raw[:3] == b"OBX":
            observations.append(_observation(segment, zone))
        elif (note := segment[3].text) and observations:
            observations[-1] = structs.replace(observations[-1], notes=(*observations[-1].notes, note))
        elif note:
            general.append(note)
    return tuple(observations), tuple(general)


def _observation(segment: Segment, zone: tzinfo) -> Observation:
    return Observation(
        code=_code(segment, 3),
        sub_id=segment["4"],
        type=segment["2"],
        values=tuple(repetition.text for repetition in segment[5] if not repetition.is_null),
        unit=segment["6.1"],
        reference_range=segment[7].text,
        flags=tuple(str(flag) for flag in segment[8] if str(flag)),
        status=segment["11"].strip().upper(),
        at=moment_of(Group((segment,), zone), "OBX-14", "OBX-19") if segment[14] or segment[19] else None,
    )


def _code(segment: Segment, number: int) -> Code:
    """A coded field: identifier, text and system; the alternate identifier where the first is empty."""
    parts = [str(component) for component in segment[number][1]][:6]
    code, text, system, other, other_text, other_system = (*parts, "", "", "", "", "", "")[:6]
    if code:
        return Code(code, system, text)
    return Code(other or text, other_system, other_text or text)


def _number(group: Group, place: str) -> Identifier | None:
    number = group[f"{place}.1"].strip()
    return Identifier(number, (group[f"{place}.2"] or group[f"{place}.3"]).strip(), "order") if number else None
