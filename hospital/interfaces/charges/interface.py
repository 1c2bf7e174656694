"""Charges (DFT): what was done becomes an invoice to whoever pays, and says nothing of the patient. See README.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import groupby

from isthmus.connectors.odoo import InvoiceLine, ref
from isthmus.core import Classification, Delivery, Event, Interface, derive_id, pseudonym, subscribe
from isthmus.core.events import (
    ChargeCredited,
    ChargeLine,
    ChargePosted,
    ChargesBilled,
    ChargesRefunded,
    Identifier,
    Payer,
    PaymentPosted,
)
from isthmus.formats.hl7v2 import Contract, Hl7, rule

from ...agreement import ZONE, Agreement, attempt
from ...patient import encounter_of
from ...products import service, shown
from ...systems import odoo
from .payer import partner, payer_of
from .reading import Charge, charges_of, is_foreign, understand

charges = Interface(
    "ehr.charges",
    source="clinical",
    owner="revenue-cycle",
    contract=Agreement(
        Contract("DFT^*", zone=ZONE, rules=(rule("FT1-2", usage="R", severity="warning"),)),  # else equal charges of two messages are one
        lambda message: attempt(lambda: encounter_of(message)),
        understand,
    ),
    classification=Classification(
        criticality="revenue",
        latency="minutes",
        volume="10k/day",
        failure="services are not billed",
        recovery="replay",
        ordered_by="encounter",
    ),
    runbook="interfaces/charges/README.md",
)


@charges.translate("DFT^*")
def posted(message: Hl7) -> Iterator[Event]:
    """One event for each transaction; then what of them belongs on one bill, and what on one credit note."""
    encounter, payer, found = encounter_of(message), payer_of(message), charges_of(message)
    for charge in found:
        yield _event(charge, encounter, payer)
    for (direction, currency), together in _bills(found):
        lines = tuple(_line(one) for one in together)
        bill = derive_id("bill", direction, currency, *sorted(one.charge for one in lines))[:16]
        on = max(one.on for one in together)
        event = ChargesBilled if direction == "charge" else ChargesRefunded
        yield event(bill=bill, encounter=encounter, payer=payer, currency=currency, on=on, lines=lines)


def _bills(found: Iterable[Charge]) -> Iterator[tuple[tuple[str, str], tuple[Charge, ...]]]:
    priced = [one for one in found if one.unit_price is not None and one.direction != "payment" and not is_foreign(one.currency)]
    for key, together in groupby(sorted(priced, key=_bill_of), key=_bill_of):
        yield key, tuple(together)


def _bill_of(charge: Charge) -> tuple[str, str]:
    return charge.direction, charge.currency


def _line(charge: Charge) -> ChargeLine:
    assert charge.unit_price is not None  # noqa: S101 - only priced charges are on a bill
    return ChargeLine(charge=charge.id, code=charge.code, quantity=charge.quantity, unit_price=charge.unit_price, on=charge.on)


def _event(charge: Charge, encounter: Identifier, payer: Payer) -> Event:
    if charge.direction == "payment":
        amount = None if charge.unit_price is None else charge.unit_price * charge.quantity
        return PaymentPosted(payment=charge.id, encounter=encounter, amount=amount, currency=charge.currency, on=charge.on)
    event = ChargePosted if charge.direction == "charge" else ChargeCredited
    return event(
        charge=charge.id,
        encounter=encounter,
        payer=payer,
        code=charge.code,
        code_system=charge.code_system,
        quantity=charge.quantity,
        unit_price=charge.unit_price,
        currency=charge.currency,
        on=charge.on,
        department=charge.department,
    )


# ---- the invoice --------------------------------------------------------------------------------------------------------------------

INVOICING = Classification(
    criticality="revenue",
    latency="minutes",
    volume="10k/day",
    failure="services are not billed",
    recovery="replay",
    ordered_by="bill",
)


@subscribe(ChargesBilled, ChargesRefunded, to=odoo, owner="revenue-cycle", classification=INVOICING)
async def invoice(event: ChargesBilled | ChargesRefunded) -> AsyncIterator[Delivery]:
    """A posted invoice to the payer, or a credit note, under a reference that only the hospital can lead back to a stay."""
    stay = await pseudonym("encounter", str(event.encounter))
    refund = isinstance(event, ChargesRefunded)
    yield odoo.invoice(
        f"{'credit' if refund else 'invoice'}-{stay}-{event.bill}",
        payer=partner(event.payer),
        reference=f"STAY-{stay}",
        date=event.on,
        lines=[
            InvoiceLine(product=service(one.code), name=shown(one.code), quantity=float(one.quantity), price_unit=float(one.unit_price))
            for one in event.lines
        ],
        kind="out_refund" if refund else "out_invoice",
    )


@subscribe(ChargePosted, ChargeCredited, to=odoo, owner="revenue-cycle", classification=INVOICING)
async def ask_for_price(event: ChargePosted | ChargeCredited) -> AsyncIterator[Delivery]:
    """No price in the company's currency is known: the billing desk gets a task, so that nothing stays unbilled in silence."""
    if event.unit_price is not None and not is_foreign(event.currency):
        return
    stay = await pseudonym("encounter", str(event.encounter))
    said = "no price" if event.unit_price is None else f"{event.unit_price:f} {event.currency} each"
    yield odoo.task(
        f"unpriced-{stay}-{derive_id('charge', event.spec.type, event.charge)[:16]}",
        project=ref("project.project", "project-billing-desk", name="Billing desk"),
        name=f"Price missing for charge code {shown(event.code)}",
        description=f"Quantity {event.quantity:f} on {event.on}, {said}, reference STAY-{stay}.\n"
        "Set a price in the tariff for the next time, and bill this one by hand.",
    )
