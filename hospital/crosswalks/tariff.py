"""Tariff: what a service costs when the EHR sends a charge without a price. Owner: revenue cycle."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

VERSION = "2026-01"

CURRENCY = ""
"""The currency of the company in Odoo (ISO 4217, such as ``EUR``): amounts in another one go to the billing desk instead of on a
bill. Empty: the sender's currency is the company's, whatever it writes; right where all systems know just one."""

PRICES = MappingProxyType(
    {
        "BED": Decimal(410),
        "CONS": Decimal(140),
        "ECG": Decimal(62),
        "LAB01": Decimal(38),
        "PHYS": Decimal(55),
        "SURG-2": Decimal(1850),
        "XR-CHEST": Decimal(95),
    }
)
"""Unit price by charge code (FT1-7.1), in the hospital's own currency, without tax."""
