"""Format: HL7 v2 as the engine knows it."""

from __future__ import annotations

import datetime as dt

from isthmus.core.contract import Header, Verdict, Violation
from isthmus.formats.hl7v2.acknowledge import acknowledge
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.field import first
from isthmus.formats.hl7v2.header import read_header

_SOUGHT = (
    (b"PID", (("patient", 3), ("account", 18))),
    (b"MRG", (("patient", 1),)),
    (b"PV1", (("visit", 19),)),
    (b"ORC", (("order", 2), ("order", 3))),
    (b"OBR", (("order", 2), ("order", 3))),
    (b"SCH", (("appointment", 1), ("appointment", 2))),
    (b"MSH", (("control", 10),)),
)
"""Where a message names what people search it by: the first component of each repetition."""


class Hl7v2:
    """Satisfies ``core.contract.Format[Hl7]``. ``zone``: where times without an offset are."""

    __slots__ = ("zone",)

    def __init__(self, zone: dt.tzinfo = dt.UTC) -> None:
        self.zone = zone

    @property
    def name(self) -> str:
        return "hl7v2"

    def header(self, body: bytes) -> Header:
        """Kind, sender and control id from MSH; raises ``Invalid`` where there is none."""
        return read_header(body)

    def open(self, body: bytes) -> Hl7:
        """The message, lazily parsed; raises ``Invalid`` where the bytes hold no MSH."""
        return Hl7(body, self.zone)

    def identifiers(self, document: Hl7) -> tuple[tuple[str, str], ...]:
        """Patient, account, visit, order, appointment and control ids, each once."""
        found: dict[tuple[str, str], None] = {}
        encoding = document.encoding
        for name, sought in _SOUGHT:
            for segment in document.named(name):
                fields = segment.fields
                for what, field in sought:
                    raw = fields[field] if field < len(fields) else b""
                    if not raw:
                        continue
                    if raw.isalnum():  # most numbers: nothing to split, nothing to unescape
                        found[what, raw.decode()] = None
                        continue
                    for repetition in encoding.split(raw, encoding.repetition):
                        value = encoding.text(first(repetition, encoding))
                        if value:
                            found[what, value] = None
        return tuple(found)

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        """The answer in the mode that the message asks for; None where it asks for none."""
        return acknowledge(body, verdict, violations, reply_id=reply_id, at=at)


HL7V2 = Hl7v2()
"""The format without a zone of its own: times without an offset are UTC."""
