"""What the EHR and this hospital agreed on for ADT."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.core import Violation
from isthmus.formats.hl7v2 import Contract, Hl7, rule

from ...agreement import ZONE, Agreement, attempt
from ...patient import patient_of
from . import merges, others

_SPECIAL = frozenset(("ADT^A17", "ADT^A20", "ADT^A24", "ADT^A37"))


def understand(message: Hl7) -> Iterator[Violation]:
    """Nearly every trigger needs just a patient; the few others are tried out."""
    kind = message.kind
    if kind in merges.KINDS:
        yield from attempt(lambda: tuple(merges.translate(message)))
    elif kind in _SPECIAL:
        yield from attempt(lambda: tuple(others.translate(message)))
    else:
        yield from attempt(lambda: patient_of(message))


CONTRACT = Agreement(
    Contract(
        "ADT^*",
        zone=ZONE,
        rules=(
            rule("PV1-3", usage="R", only=("ADT^A03",), severity="warning"),  # no bed, so none is cleaned
            rule("PV1-6", usage="R", only=("ADT^A02",), severity="warning"),  # no prior bed, so none is cleaned
        ),
    ),
    understand,
)
