"""Reading OML and ORM: what is ordered, from which department, and what the placer wants done (HL7 v2.5.1 §4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Event, Invalid, derive_id
from isthmus.core.events import Code, Identifier, OrderCancelled, OrderChanged, OrderLine, OrderPlaced
from isthmus.core.events.orders import Service
from isthmus.formats.hl7v2 import Group, Hl7

from ...moments import moment_of
from ...patient import patient_of
from .forward import as_document

_NEW = frozenset(("", "NW", "PA", "CH", "SN", "AF", "RF"))
_OFF = frozenset(("CA", "DC", "OC", "OD"))
_IMAGING = frozenset(("RAD", "RX", "CT", "CUS", "NMR", "MRI", "NMS", "NUS", "OUS", "VUS", "XRC", "VR", "RT", "RUS", "MR", "US"))
"""OBR-24 (HL7 table 0074) of the departments that make images: their orders are noted and do not go to the laboratory."""
_DRUGS = ("RXO", "RXE")


def only_drugs(message: Hl7) -> bool:
    """An ORM that orders medication and nothing else."""
    return message.segment("OBR") is None and bool(message.segments(*_DRUGS))


def requisition_of(message: Hl7) -> Event:
    """The message as one requisition, for the department gets it as one."""
    lines = tuple(_lines(message))
    wanted = {line.control for line in lines}
    event = OrderPlaced if wanted & _NEW else OrderCancelled if wanted <= _OFF else OrderChanged
    document = as_document(message)
    number = next((one for line in lines for one in (line.placer_order, line.filler_order) if one is not None), None)
    if number is None:
        raise Invalid("required", f"{message.where('ORC-2')}: send the placer's order number, here or in OBR-2")
    return event(
        requisition=str(number),
        version=derive_id("order", document.partition(b"\r")[2])[:16],  # without MSH: the same order sent again is the same
        service=_service(message),
        patient=patient_of(message),
        lines=lines,
        at=moment_of(message, "ORC-9", "ORC-15", "MSH-7"),
        document=document,
    )


def _lines(message: Hl7) -> Iterator[OrderLine]:
    found = False
    for group in message.groups("ORC", "OBR"):
        found = True
        yield OrderLine(
            placer_order=_number(group, "ORC-2") or _number(group, "OBR-2"),
            filler_order=_number(group, "ORC-3") or _number(group, "OBR-3"),
            examination=_examination(group),
            control=group["ORC-1"].strip().upper(),
            priority=(group["TQ1-9.1"] or group["ORC-7.6"] or group["OBR-27.6"] or group["OBR-5.1"]).strip(),
        )
    if not found:
        raise Invalid("required", "ORC: send at least one order")


def _service(message: Hl7) -> Service:
    departments = {segment["24"].strip().upper() for segment in message.segments("OBR")} - {""}
    if departments and departments <= _IMAGING:
        return "imaging"
    return "laboratory" if message.segment("OBR") is not None else "other"


def _examination(group: Group) -> Code | None:
    code, text, system = group["OBR-4.1"].strip(), group["OBR-4.2"].strip(), group["OBR-4.3"].strip()
    return Code(code or group["OBR-4.4"].strip() or text, system, text) if code or text or group["OBR-4.4"] else None


def _number(group: Group, place: str) -> Identifier | None:
    number = group[f"{place}.1"].strip()
    return Identifier(number, (group[f"{place}.2"] or group[f"{place}.3"]).strip(), "order") if number else None
