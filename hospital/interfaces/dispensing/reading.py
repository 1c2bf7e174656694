"""Reading RDS and RDE: each order group with what was prescribed and what was given out (HL7 v2.5.1 §4.13, 4.14)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from msgspec import structs

from isthmus.core import Event, Invalid, Violation
from isthmus.core.events import Identifier, MedicationDispensed, MedicationOrdered, MedicationReturned
from isthmus.formats.hl7v2 import Group, Hl7

from ...agreement import attempt
from ...amounts import amount_at
from ...moments import moment_of
from ...patient import find_encounter, find_patient, patient_of
from ...places import location_at

Action = Literal["new", "change", "cancel"]

_ACTIONS: dict[str, Action] = {"": "new", "NW": "new", "RF": "new", "PA": "new", "CH": "new", "RE": "new", "CA": "cancel", "DC": "cancel"}
"""ORC-1 (HL7 table 0119) where it is not a change."""


def dispenses(message: Hl7) -> tuple[MedicationDispensed | MedicationReturned, ...]:
    """Every RXD; equal ones of one message are counted, for two equal packs are two packs."""
    found: dict[str, MedicationDispensed | MedicationReturned] = {}
    for group in _orders(message):
        for given in group.groups("RXD"):
            one = _dispense(given, group, message)
            same = sum(1 for known in found if known.partition("#")[0] == one.dispense)
            if same:
                one = structs.replace(one, dispense=f"{one.dispense}#{same + 1}")
            found[one.dispense] = one
    return tuple(found.values())


def understand_dispenses(message: Hl7) -> Iterator[Violation]:
    """What is wrong with each RXD; a message without any gives nothing out."""
    some = False
    for group in _orders(message):
        for given in group.groups("RXD"):
            some = True
            yield from attempt(lambda given=given, group=group: _dispense(given, group, message))  # type: ignore[misc]
    if not some:
        yield Violation("RXD", "required", "send at least one dispense")


def prescriptions(message: Hl7) -> tuple[MedicationOrdered, ...]:
    """Every prescribed drug (RXE, else RXO) of every order group, each once."""
    found = {f"{one.order}/{one.drug}": one for group in _orders(message) for one in _prescribed(group, message)}
    if not found:
        raise Invalid("required", "RXE: send what is prescribed")
    return tuple(found.values())


def prescribed(message: Hl7) -> Iterator[Event]:
    yield from prescriptions(message)


def _orders(message: Hl7) -> Iterator[Group]:
    """The order groups; the whole message where there is no ORC."""
    groups = tuple(message.groups("ORC"))
    return iter(groups) if groups else iter((message,))


def _dispense(given: Group, order: Group, message: Hl7) -> MedicationDispensed | MedicationReturned:
    drug, system = _drug(given, "RXD-2") or _drug(order, "RXE-2") or _drug(order, "RXO-1") or ("", "")
    if not drug:
        raise Invalid("required", f"{given.where('RXD-2')}: send the code of the drug")
    quantity = amount_at(given, "RXD-4")
    if quantity is None:
        quantity = amount_at(order, "RXE-10")
    if quantity is None:
        raise Invalid("required", f"{given.where('RXD-4')}: send how much was given out")
    if quantity == 0:
        raise Invalid("range", f"{given.where('RXD-4')}: nothing was given out; send only what was")
    event = MedicationDispensed if quantity > 0 else MedicationReturned
    return event(
        dispense=_number(given, order, message, drug, quantity),
        drug=drug,
        drug_system=system,
        quantity=abs(quantity),
        unit=(given["RXD-5.1"] or order["RXE-11.1"]).strip(),
        lot=given["RXD-18"].strip(),
        location=location_at(message, "PV1-3"),
        at=moment_of(given, "RXD-3") or moment_of(order, "ORC-9") or moment_of(message, "MSH-7"),
    )


def _number(given: Group, order: Group, message: Hl7, drug: str, quantity: Decimal) -> str:
    """Prescription, number of the dispense, drug and time as written; where no order is numbered, the stay stands for it."""
    prescription = next(filter(None, (order_number(order), given["RXD-7"].strip())), "")
    if not prescription:
        stay = find_encounter(message) or find_patient(message)
        if stay is None:
            raise Invalid("required", f"{given.where('RXD-7')}: send the prescription number, or the order number in ORC-2")
        prescription = str(stay)
    parts = (prescription, given["RXD-7"].strip(), given["RXD-1"].strip(), drug, given["RXD-3"].strip())
    return "/".join(dict.fromkeys(part for part in parts if part)) + ("" if quantity > 0 else "/return")


def order_number(order: Group) -> str:
    """The order's number by placer, else by filler."""
    return order["ORC-2.1"].strip() or order["ORC-3.1"].strip()


def _prescribed(group: Group, message: Hl7) -> Iterator[MedicationOrdered]:
    number = next(filter(None, (order_number(group), group["RXE-15"].strip())), "")
    for segment, code, amount, unit in (("RXE", "RXE-2", "RXE-10", "RXE-11.1"), ("RXO", "RXO-1", "RXO-11", "RXO-12.1")):
        drug = _drug(group, code)
        if group.segment(segment) is None or drug is None:
            continue
        if not number:
            raise Invalid("required", f"{group.where('ORC-2')}: send the order number")
        try:
            quantity = amount_at(group, amount)
        except Invalid:
            quantity = None  # how much is prescribed may be prose; it is no dispense
        yield MedicationOrdered(
            order=Identifier(number, group["ORC-2.2"], "order"),
            patient=patient_of(message),
            drug=drug[0],
            drug_system=drug[1],
            action=_ACTIONS.get(group["ORC-1"].strip().upper(), "change"),
            quantity=quantity,
            unit=group[unit].strip(),
            at=moment_of(group, "ORC-9", "RXE-32") or moment_of(message, "MSH-7"),
        )
        return


def _drug(group: Group, place: str) -> tuple[str, str] | None:
    """Code and system of a coded drug; the alternate code, or just its text, where there is no first."""
    for code, system in ((1, 3), (4, 6), (2, 0)):
        found = group[f"{place}.{code}"].strip()
        if found:
            return found, group[f"{place}.{system}"].strip() if system else ""
    return None
