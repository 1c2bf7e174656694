"""Whose fault a failure is, and therefore what happens next.

Failure
├── Invalid     the sender's fault: quarantine the message, answer NACK with field, rule and cure
├── Transient   nobody's fault for long: try again by policy
├── Rejected    the receiver said no: dead letter, a person decides
└── Bug         ours: stop the one subscription or interface, page its owner

An *unknown outcome* is no failure but a state (``isthmus.core.outcome.Unknown``): it is checked before anything is tried again.

Texts never carry values from a message: a code, a place, a rule and a cure are enough to act on, and logs stay free of PHI.
"""

from __future__ import annotations


class Failure(Exception):
    """Something did not work; the subclass says what happens next.

    ``code`` is a stable reason code (kebab-case, counted and searchable); ``detail`` is for people and free of PHI.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Invalid(Failure):
    """The sender's fault: the message is kept, quarantined and refused with the place, the rule and the cure."""


class Transient(Failure):
    """It may work later: the engine tries again by policy. ``after`` is the receiver's own wish in seconds (Retry-After)."""

    def __init__(self, code: str, detail: str = "", after: float | None = None) -> None:
        super().__init__(code, detail)
        self.after = after


class Rejected(Failure):
    """The receiver said no, and would say no again: dead letter, a person decides."""


class Bug(Failure):
    """Our own code is wrong: the subscription stops where it is, nothing is skipped, its owner is paged."""
