"""Who a message is about: the patient's and the encounter's identifier, wherever this sender put them."""

from __future__ import annotations

from isthmus.core import Invalid
from isthmus.core.events import Identifier
from isthmus.formats.hl7v2 import Field, Group, Repetition

_RECORD_NUMBERS = frozenset(("MR", "MRN", "PI", "PT", "MRT", "PE", "U"))
"""Types of identifier (PID-3.5, HL7 table 0203) that name the patient within the hospital; the first such one is taken."""
_NOT_OURS = frozenset(("SS", "SSN", "DL", "PPN", "NI", "NNUSA", "MA", "MC", "WC", "CZ", "SR", "AN", "VN"))
"""Types that name a citizen, an insured person or an account: taken only where there is no other."""


def patient_of(group: Group) -> Identifier:
    """The patient; raises ``Invalid`` where no field of PID names one."""
    found = find_patient(group)
    if found is None:
        raise Invalid("required", f"{group.where('PID-3')}: send the patient's identifier")
    return found


def find_patient(group: Group) -> Identifier | None:
    """The patient by PID-3, else PID-2, PID-4 (both withdrawn in v2.7, still sent), else the account PID-18."""
    segment = group.segment("PID")
    if segment is None:
        return None
    return record_number(segment[3]) or record_number(segment[2]) or record_number(segment[4]) or _first(segment[18], "account")


def record_number(field: Field) -> Identifier | None:
    """The patient's number among the repetitions of a CX field: a record number first, then any other, then a citizen's."""
    best: tuple[int, Repetition] | None = None
    for repetition in field:
        if str(repetition).strip():
            rank = _rank(str(repetition[5]))
            if best is None or rank < best[0]:
                best = rank, repetition
    return None if best is None else _identifier(best[1], "patient")


def find_encounter(group: Group) -> Identifier | None:
    """The encounter by visit number PV1-19, else alternate visit PV1-50, else account PID-18, else the pre-admission PV1-5."""
    visit, person = group.segment("PV1"), group.segment("PID")
    found = None
    if visit is not None:
        found = _first(visit[19], "visit") or _first(visit[50], "visit")
    if found is None and person is not None:
        found = _first(person[18], "account")
    if found is None and visit is not None:
        found = _first(visit[5], "visit")
    return found


def encounter_of(group: Group) -> Identifier:
    """The encounter; where the sender numbers none, the patient stands for it."""
    return find_encounter(group) or patient_of(group)


def _first(field: Field, kind: str) -> Identifier | None:
    return next((_identifier(repetition, kind) for repetition in field if str(repetition).strip()), None)


def _identifier(repetition: Repetition, kind: str) -> Identifier:
    authority = repetition[4]
    return Identifier(str(repetition).strip(), (authority[1] or authority[2]).strip(), kind)


def _rank(what: str) -> int:
    what = what.strip().upper()
    return 0 if what in _RECORD_NUMBERS else 2 if what in _NOT_OURS else 1
