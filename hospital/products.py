"""Products of Odoo by the codes of drugs, supplies and services, so that every interface names them alike."""

from __future__ import annotations

import re
from decimal import Decimal

from isthmus.connectors.odoo import Move, Ref, ref
from isthmus.core import derive_id

from .crosswalks.items import ITEMS
from .crosswalks.tariff import PRICES

_CODE = re.compile(r"[^\s\x00-\x1f\x7f]{1,40}")


def shown(code: str) -> str:
    """The code as Odoo may see it: one that our tables know, or that looks like one. Words are no code: ``Mixture for Mrs Smith``."""
    if code in ITEMS or code in PRICES or _CODE.fullmatch(code):
        return code
    return f"To be mapped ({derive_id('code', code)[:10]})"


def item(code: str) -> Ref:
    """A product that is kept in stock: the one of Odoo with this internal reference, made when there is none."""
    known = ITEMS.get(code)
    reference, name = (known.reference, known.name) if known is not None else (shown(code), shown(code))
    return ref(
        "product.product", f"item-{reference}", adopt="default_code", name=name, default_code=reference, type="consu", is_storable=True
    )


def move(code: str, quantity: Decimal, unit: str) -> Move:
    """So much of an item, in the product's own unit: ``2 BOX`` of gloves are 200 gloves."""
    known = ITEMS.get(code)
    packs = dict(known.units) if known is not None else {}
    return Move(product=item(code), quantity=float(quantity * packs.get(unit.upper(), Decimal(1))))


def service(code: str) -> Ref:
    """What is charged: the product of Odoo with this internal reference, made when there is none.

    Named by its code alone: the text of a procedure can tell what somebody suffers from.
    """
    name = shown(code)
    return ref("product.product", f"service-{name}", adopt="default_code", name=name, default_code=name, type="service")
