"""Items: which product of Odoo a drug or a supply is, and how many of its units a pack holds. Owner: supply chain.

A code that does not stand here is a product of the same code, counted in its own unit.
"""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

from msgspec import Struct

VERSION = "2026-01"


class Item(Struct, frozen=True):
    reference: str
    """Internal reference of the product in Odoo (``default_code``)."""
    name: str
    units: tuple[tuple[str, Decimal], ...] = ()
    """Other units of measure and how many of the product's own unit they hold: ``("BOX", Decimal(100))``."""


def _known(*items: Item) -> MappingProxyType[str, Item]:
    return MappingProxyType({item.reference: item for item in items})


ITEMS = _known(
    Item("AMOX500", "Amoxicillin 500 mg, tablet", (("BOX", Decimal(21)),)),
    Item("IBU400", "Ibuprofen 400 mg, tablet", (("BOX", Decimal(20)),)),
    Item("PARA500", "Paracetamol 500 mg, tablet", (("BOX", Decimal(20)),)),
    Item("ENOX40", "Enoxaparin 40 mg, syringe", (("BOX", Decimal(10)),)),
    Item("OND4", "Ondansetron 4 mg, tablet", (("BOX", Decimal(10)),)),
    Item("GLV-M", "Nitrile gloves, M", (("BOX", Decimal(100)),)),
    Item("SYR-10", "Syringe 10 ml", (("BOX", Decimal(100)),)),
    Item("CATH-18", "Catheter 18 G"),
    Item("DRESS-S", "Dressing, small"),
    Item("MASK-2", "Mask, type II", (("BOX", Decimal(50)),)),
)
"""By the code that pharmacy and cabinets send."""
