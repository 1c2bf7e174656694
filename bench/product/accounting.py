"""Exact accounting: what was sent, acknowledged and delivered, number by number. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from bench.product.loads import Ledger
from msgspec import Struct


class Account(Struct, frozen=True, kw_only=True):
    """``holds`` when every acknowledged message was delivered exactly once, in the order of its patient."""

    sent: int
    acked: int
    delivered: int
    lost: int
    """Acknowledged and never delivered."""
    doubled: int
    """Deliveries of what had been delivered before."""
    foreign: int
    """Delivered, and never sent."""
    out_of_order: int
    """Delivered after a later message of the same patient."""

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.foreign or self.out_of_order)


def account(ledgers: Sequence[Ledger], delivered: array[int], *, probes: Sequence[int] = ()) -> Account:
    """``probes``: numbers that were sent beside the ledgers and acknowledged, to see when the site is ready."""
    patient: dict[int, int] = dict.fromkeys(probes, -1)
    acked = set(probes)
    for ledger in ledgers:
        patient.update(zip(range(ledger.first, ledger.first + len(ledger.patients)), ledger.patients, strict=True))
        acked.update(ledger.acked)
    seen: set[int] = set()
    newest: dict[int, int] = {}
    doubled = foreign = out_of_order = 0
    for number in delivered:
        if number not in patient:
            foreign += 1
        elif number in seen:
            doubled += 1
        else:
            seen.add(number)
            whose = patient[number]
            if number < newest.get(whose, 0):
                out_of_order += 1
            newest[whose] = max(number, newest.get(whose, 0))
    return Account(
        sent=len(patient),
        acked=len(acked),
        delivered=len(delivered),
        lost=len(acked - seen),
        doubled=doubled,
        foreign=foreign,
        out_of_order=out_of_order,
    )
