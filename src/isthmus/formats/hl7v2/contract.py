"""Contract: which messages an interface takes and what they must hold, as a conformance profile compiled once."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from isthmus.core.contract import Violation
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.format import Hl7v2
from isthmus.formats.hl7v2.rules import Rule


class Contract:
    """``Contract("ADT^A01", "ADT^A03", version="2.5.1", required=("PID-3", "PV1-19"))``; satisfies ``core.contract.Contract[Hl7]``.

    ``required`` names fields that every message has to value (their segments have to be there); ``rules`` say the rest;
    ``structure`` is the order of segments in the standard's own notation (``MSH EVN PID [PD1] [{NK1}] PV1``). ``zone`` is where
    times without an offset are: ``Europe/Zurich``.
    """

    def __init__(
        self,
        *kinds: str,
        version: str = "",
        required: Iterable[str] = (),
        rules: Iterable[Rule] = (),
        structure: str = "",
        zone: str = "UTC",
    ) -> None:
        self._kinds = kinds
        self.version = version
        self.required = tuple(required)
        self.rules = tuple(rules)
        self.structure = structure
        self._format = Hl7v2(ZoneInfo(zone))

    @property
    def format(self) -> Hl7v2:
        return self._format

    @property
    def kinds(self) -> tuple[str, ...]:
        return self._kinds

    def check(self, document: Hl7) -> tuple[Violation, ...]:
        """Every violation at once, in the order of the message."""
        return document.oddities()
