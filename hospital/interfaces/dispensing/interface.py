"""Dispensing (RDS) moves stock; prescriptions (RDE) are noted and move nothing. See README.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from isthmus.core import Classification, Delivery, Event, Interface, pseudonym, subscribe
from isthmus.core.events import MedicationDispensed, MedicationReturned
from isthmus.formats.hl7v2 import Contract, Hl7

from ...agreement import ZONE, Agreement, attempt
from ...products import move
from ...systems import odoo
from .reading import dispenses, prescribed, prescriptions, understand_dispenses

dispensing = Interface(
    "pharmacy.dispensing",
    source="clinical",
    owner="pharmacy",
    contract=Agreement(Contract("RDS^*", zone=ZONE), understand_dispenses),
    classification=Classification(
        criticality="operations",
        latency="minutes",
        volume="8k/day",
        failure="stock is wrong, drugs run out unnoticed",
        recovery="replay",
        ordered_by="drug",
    ),
    runbook="interfaces/dispensing/README.md",
)

prescribing = Interface(
    "ehr.prescribing",
    source="clinical",
    owner="pharmacy",
    contract=Agreement(Contract("RDE^*", zone=ZONE), lambda message: attempt(lambda: prescriptions(message))),
    classification=Classification(
        criticality="care",
        latency="seconds",
        volume="10k/day",
        failure="other systems do not know what is prescribed",
        recovery="replay",
        ordered_by="patient",
    ),
    runbook="interfaces/dispensing/README.md",
)

prescribing.translate("RDE^*")(prescribed)


@dispensing.translate("RDS^*")
def dispensed(message: Hl7) -> Iterator[Event]:
    yield from dispenses(message)


@subscribe(
    MedicationDispensed,
    MedicationReturned,
    to=odoo,
    owner="pharmacy",
    classification=Classification(
        criticality="operations",
        latency="minutes",
        volume="8k/day",
        failure="stock is wrong, drugs run out unnoticed",
        recovery="replay",
        ordered_by="dispense",
    ),
)
async def move_medication(event: MedicationDispensed | MedicationReturned) -> AsyncIterator[Delivery]:
    """Out of the pharmacy's stock, or back into it. Odoo learns the drug, not for whom."""
    number = await pseudonym("dispense", event.dispense)
    yield odoo.movement(
        f"dispense-{number}",
        moves=[move(event.drug, event.quantity, event.unit)],
        kind="consume" if isinstance(event, MedicationDispensed) else "return",
        origin=f"DISPENSE-{number}",
    )
