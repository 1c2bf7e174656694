"""What came of an attempt, and the receipts that prove it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ReceiptKind = Literal["transport", "application", "business"]


class Receipt(Struct, frozen=True):
    """A proof. transport: the bytes were taken; application: AA or 2xx; business: the effect was seen in the target."""

    kind: ReceiptKind
    code: str
    """``CA``, ``AA``, ``201``, ``posted``, ``done``."""
    reference: str = ""
    """Where the effect can be seen, free of PHI: ``account.move/17``, the receiver's control id."""


class Delivered(Struct, frozen=True, tag="delivered"):
    """It was sent and the receipts say so."""

    receipts: tuple[Receipt, ...]
    unchanged: bool = False
    """True where the target already held exactly this, so that nothing was written."""


class Retry(Struct, frozen=True, tag="retry"):
    """It certainly had no effect and may work later. ``after``: seconds the receiver asked us to wait."""

    code: str
    detail: str = ""
    after: float | None = None
    untried: bool = False
    """True where it was not even tried: our own time, the target's budget or the node's lease was used up. It says nothing about
    the endpoint.
    """


class Reject(Struct, frozen=True, tag="reject"):
    """The receiver said no: dead letter."""

    code: str
    detail: str = ""
    receipts: tuple[Receipt, ...] = ()


class Unknown(Struct, frozen=True, tag="unknown"):
    """It was sent and nobody knows whether it took effect: check before trying again."""

    code: str
    detail: str = ""
    untried: bool = False
    """True where it is our own time, budget or lease that was used up before one could know; likewise no sign of the endpoint."""


Outcome = Delivered | Retry | Reject | Unknown
