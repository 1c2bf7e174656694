"""Odoo: words (what an interface may say), client (JSON-2 and XML-RPC) and practice (a stand-in certified by the same tests).

Only the pure words are imported here; the client comes with ``isthmus.connectors.odoo.client``.
"""

from isthmus.connectors.odoo.operations import InvoiceLine, Move
from isthmus.connectors.odoo.values import By, Line, Ref, Xml, line, ref
from isthmus.connectors.odoo.words import Found, Odoo, Product

__all__ = ["By", "Found", "InvoiceLine", "Line", "Move", "Odoo", "Product", "Ref", "Xml", "line", "ref"]
