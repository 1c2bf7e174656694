"""Payers: which insurance a code in IN1-3 means. Owner: revenue cycle.

Only names that stand here reach Odoo: what a message says in IN1-4 is never used, for senders put patients' names there. A code
that does not stand here is invoiced to a partner of its own whose name tells that it has to be mapped.
"""

from __future__ import annotations

from types import MappingProxyType

VERSION = "2026-01"

NAMES = MappingProxyType(
    {
        "NORD": "Nordland Health",
        "CIVIC": "Civic Mutual",
        "HARBOUR": "Harbour Insurance",
        "STATE": "State Scheme",
    }
)
"""Name of the partner in Odoo by the insurance's code."""

SELF_PAY = frozenset(("SELF", "SELFPAY", "SELF-PAY", "SELF PAY", "SP", "PRIVATE"))
"""Codes in IN1-2 or IN1-3 with which a sender says that nobody insures."""
