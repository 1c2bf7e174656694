"""Odoo: words (what an interface may say), client (JSON-2 and XML-RPC) and practice (a stand-in certified by the same tests)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.odoo.operations import InvoiceLine, Move
from isthmus.connectors.odoo.settings import OdooEndpoint
from isthmus.connectors.odoo.values import By, Line, Ref, Xml, line, ref
from isthmus.connectors.odoo.words import Found, Odoo, Product

if TYPE_CHECKING:
    from isthmus.connectors.odoo.client import OdooClient
    from isthmus.connectors.port import Budget


def connect(name: str, settings: OdooEndpoint, budget: Budget) -> OdooClient:
    """The client of one endpoint; it opens no socket yet."""
    from isthmus.connectors.odoo.client import OdooClient  # noqa: PLC0415 (sites import the words; sockets load when needed)

    return OdooClient(name, settings, budget)


__all__ = ["By", "Found", "InvoiceLine", "Line", "Move", "Odoo", "OdooEndpoint", "Product", "Ref", "Xml", "connect", "line", "ref"]
