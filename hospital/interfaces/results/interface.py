"""Results (ORU, OUL) go to the clinicians' portal, each version as a whole. See README.md."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Classification, Delivery, Event, Interface, Violation, derive_id, subscribe
from isthmus.core.events import ResultReported
from isthmus.formats.hl7v2 import Contract, Hl7

from ...agreement import ZONE, Agreement, attempt
from ...patient import patient_of
from ...systems import portal
from .reading import reports_of

RESULTS = Classification(
    criticality="care",
    latency="seconds",
    volume="30k/day",
    failure="clinicians decide without a result that is there",
    recovery="replay",
    ordered_by="patient",
)


def understand(message: Hl7) -> Iterator[Violation]:
    """A result needs a patient, and something that was examined."""
    yield from attempt(lambda: patient_of(message))
    if message.segment("OBR") is None and message.segment("OBX") is None:
        yield Violation("OBR", "required", "send the examination that is reported")


results = Interface(
    "lab.results",
    source="clinical",
    owner="laboratory",
    contract=Agreement(Contract("ORU^*", "OUL^*", zone=ZONE), understand),
    classification=RESULTS,
    runbook="interfaces/results/README.md",
)


@results.translate("ORU^*", "OUL^*")
def reported(message: Hl7) -> Iterator[Event]:
    yield from reports_of(message)


@subscribe(ResultReported, to=portal, owner="clinical-it", classification=RESULTS)
def show_result(event: ResultReported) -> Iterator[Delivery]:
    """A new version of a report under a key of its own; the portal shows the newest and keeps the others. Keys hold no identifier."""
    yield portal.post(
        "/results",
        event,
        key=derive_id("result", event.report, event.version),
        ordering_key=derive_id("patient", str(event.patient)),
    )
