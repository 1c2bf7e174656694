"""Everything that a ward says becomes one entry somewhere, under the number of its message: so every message can be counted where it
arrives. Moves and results go to the chart, orders to the laboratory, all else becomes a task in Odoo.
"""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.connectors.odoo import ref
from isthmus.core import Classification, Delivery, Event, Interface, canonical, subscribe
from isthmus.formats.hl7v2 import Contract, Hl7

from ...systems import chart, lab, odoo

WARD = Classification(
    criticality="care",
    latency="seconds",
    volume="2000k/day",
    failure="nobody would believe a drill",
    recovery="replay",
    ordered_by="patient",
)
PROJECT = ref("project.project", "project-drill", name="Drill")

ward = Interface(
    "ward.says",
    source="clinical",
    owner="drill",
    classification=WARD,
    contract=Contract("ADT^*", "ORU^*", "OML^*", "SIU^*", "DFT^*", "RDS^*", required=("MSH-10", "PID-3")),
)


@canonical("ward.charted", version=1, owner="drill", key=("number",), ordered_by="patient")
class Charted(Event, frozen=True, kw_only=True):
    number: str
    patient: str
    kind: str


@canonical("ward.ordered", version=1, owner="drill", key=("number",), ordered_by="patient")
class Ordered(Event, frozen=True, kw_only=True):
    number: str
    patient: str


@canonical("ward.noted", version=1, owner="drill", key=("number",), ordered_by="patient")
class Noted(Event, frozen=True, kw_only=True):
    number: str
    patient: str
    kind: str


@ward.translate("ADT^*", "ORU^*")
def charted(message: Hl7) -> Iterator[Event]:
    yield Charted(number=message["MSH-10"], patient=message["PID-3.1"], kind=message.kind)


@ward.translate("OML^*")
def ordered(message: Hl7) -> Iterator[Event]:
    yield Ordered(number=message["MSH-10"], patient=message["PID-3.1"])


@ward.translate("SIU^*", "DFT^*", "RDS^*")
def noted(message: Hl7) -> Iterator[Event]:
    yield Noted(number=message["MSH-10"], patient=message["PID-3.1"], kind=message.kind)


@subscribe(Charted, to=chart, owner="drill", classification=WARD)
def chart_it(event: Charted) -> Iterator[Delivery]:
    path = f"/entries/{event.number}"
    yield chart.post(path, {"kind": event.kind}, key=event.number, ordering_key=event.patient, confirm=path)


@subscribe(Ordered, to=lab, owner="drill", classification=WARD)
def order_it(event: Ordered) -> Iterator[Delivery]:
    header = f"MSH|^~\\&|DRILL|WARD|LAB|LAB|20260302||OML^O21^OML_O21|{event.number}|T|2.5.1"
    yield lab.send(f"{header}\rPID|1||{event.patient}\rORC|NW|{event.number}\r".encode(), key=event.number, ordering_key=event.patient)


@subscribe(Noted, to=odoo, owner="drill", classification=WARD)
def note_it(event: Noted) -> Iterator[Delivery]:
    yield odoo.task(f"note-{event.number}", project=PROJECT, name=f"{event.kind} {event.number}", state="open", ordering_key=event.patient)
