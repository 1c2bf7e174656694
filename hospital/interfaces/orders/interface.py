"""Orders (OML, ORM) go on to the laboratory, and the laboratory's later answers come back. See README.md."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Classification, Delivery, Event, Interface, Invalid, Violation, derive_id, subscribe
from isthmus.core.events import DeliveryAcknowledged, OrderCancelled, OrderChanged, OrderPlaced
from isthmus.formats.hl7v2 import Contract, Hl7

from ...agreement import ZONE, Agreement, attempt
from ...systems import lab
from ..dispensing.reading import prescriptions
from .forward import under_our_name
from .reading import only_drugs, requisition_of

ORDERING = Classification(
    criticality="care",
    latency="seconds",
    volume="15k/day",
    failure="specimens arrive at the laboratory without an order",
    recovery="replay",
    ordered_by="patient",
)


def understand(message: Hl7) -> Iterator[Violation]:
    yield from attempt(lambda: tuple(ordered(message)))


orders = Interface(
    "ehr.orders",
    source="clinical",
    owner="clinical-orders",
    contract=Agreement(Contract("OML^*", "ORM^*", zone=ZONE), understand),
    classification=ORDERING,
    runbook="interfaces/orders/README.md",
)


@orders.translate("OML^*", "ORM^*")
def ordered(message: Hl7) -> Iterator[Event]:
    """A requisition; an ORM with nothing but drugs is a prescription."""
    if only_drugs(message):
        yield from prescriptions(message)
    else:
        yield requisition_of(message)


@subscribe(OrderPlaced, OrderChanged, OrderCancelled, to=lab, owner="laboratory-it", classification=ORDERING)
def forward_to_laboratory(event: OrderPlaced | OrderChanged | OrderCancelled) -> Iterator[Delivery]:
    """The requisition as the EHR wrote it, under our own MSH-3, MSH-4 and MSH-10. Orders of one patient keep their order."""
    if event.service == "laboratory":
        yield lab.send(
            under_our_name(event.document),
            key=derive_id("requisition", event.requisition, event.version),
            ordering_key=derive_id("patient", str(event.patient)),
        )


# ---- what the laboratory answers later, by a message of its own ---------------------------------------------------------------------


def acknowledged_by(message: Hl7) -> DeliveryAcknowledged:
    """MSA says which message of ours, and what became of it; an accept acknowledgement (CA) is no application's answer."""
    code, control_id = message["MSA-1"].strip().upper(), message["MSA-2"].strip()
    if code not in ("AA", "AE", "AR", "CA", "CE", "CR"):
        raise Invalid("code-set", "MSA-1: send AA, AE or AR (table 0008)")
    if not control_id:
        raise Invalid("required", "MSA-2: send the control id of the message that is acknowledged")
    return DeliveryAcknowledged(endpoint=lab.name, control_id=control_id, code=code)


acknowledgements = Interface(
    "lab.acknowledgements",
    source="clinical",
    owner="laboratory-it",
    contract=Agreement(Contract("ACK^*", "ORL^*", "ORR^*", zone=ZONE), lambda message: attempt(lambda: acknowledged_by(message))),
    classification=Classification(
        criticality="care",
        latency="seconds",
        volume="15k/day",
        failure="an order that the laboratory refused goes unnoticed",
        recovery="replay",
        ordered_by="control id",
    ),
    runbook="interfaces/orders/README.md",
)


@acknowledgements.translate("ACK^*", "ORL^*", "ORR^*")
def acknowledged(message: Hl7) -> Iterator[Event]:
    yield acknowledged_by(message)
