"""Agreement: a conformance profile, and beyond it what a translator has to be able to understand.

A profile says what stands where. Some things can be said in several places (a visit number in PV1-19, PV1-50 or PID-18), and any
will do: that is for the translator to know. An agreement asks it before the message is acknowledged, so that a sender whose
message cannot be understood is told AE with the place, and not AA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isthmus.core import Invalid, Violation
from isthmus.formats.hl7v2 import Contract, Hl7, Hl7v2

ZONE = "UTC"
"""Where times are that say no offset, neither their own nor in MSH-7. A hospital in Zurich writes ``Europe/Zurich``."""

Understand = Callable[[Hl7], Iterator[Violation]]


class Agreement:
    """``Agreement(Contract("DFT^*"), understand_charges)``; satisfies ``core.contract.Contract[Hl7]``."""

    def __init__(self, profile: Contract, *understand: Understand) -> None:
        self.profile = profile
        self._understand = understand

    @property
    def format(self) -> Hl7v2:
        return self.profile.format

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.profile.kinds

    def check(self, document: Hl7) -> tuple[Violation, ...]:
        """What the profile says, then what cannot be understood: every violation at once."""
        meant = tuple(found for understand in self._understand for found in understand(document))
        return (*self.profile.check(document), *meant)


def attempt(understand: Callable[[], object]) -> Iterator[Violation]:
    """The violation for which ``understand`` raises ``Invalid``; none where it does not."""
    try:
        understand()
    except Invalid as failure:
        where, colon, cure = failure.detail.partition(": ")
        yield Violation(where, failure.code, cure) if colon else Violation("", failure.code, failure.detail)
