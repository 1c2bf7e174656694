"""Who pays: the first IN1, in this hospital's own codes."""

from __future__ import annotations

from isthmus.connectors.odoo import Ref, ref
from isthmus.core import derive_id
from isthmus.core.events import Payer
from isthmus.formats.hl7v2 import Hl7

from ...crosswalks.payers import NAMES, SELF_PAY


def payer_of(message: Hl7) -> Payer:
    """The insurance by company id IN1-3, else plan IN1-2; without an IN1 the patient pays. Names in IN1 are never read."""
    if message.segment("IN1") is None:
        return Payer("self-pay")
    company, plan = message["IN1-3.1"].strip(), message["IN1-2.1"].strip()
    if company.upper() in SELF_PAY or (plan.upper() in SELF_PAY and not company):
        return Payer("self-pay")
    authority = (message["IN1-3.4.1"] or message["IN1-3.4.2"]) if company else ""
    return Payer("insurance", company or plan, authority)


def partner(payer: Payer) -> Ref:
    """The partner in Odoo. A code that is not mapped stays out of Odoo too: a sender may have put anything there."""
    if payer.kind == "self-pay":
        return ref("res.partner", "payer-self", name="Self-paying patients", ref="SELF")
    name = NAMES.get(payer.code)
    if name is not None:
        return ref("res.partner", f"payer-{payer.code}", adopt="ref", name=name, ref=payer.code, is_company=True)
    mark = derive_id("payer", payer.code, payer.authority)[:10] if payer.code else "none"
    return ref("res.partner", f"payer-unmapped-{mark}", name=f"Insurance to be mapped ({mark})", ref=f"UNMAPPED-{mark}", is_company=True)
