"""A practice Odoo: a real server on a real socket that speaks JSON-2 and XML-RPC, certified by the suite that the real one passes."""

from isthmus.connectors.odoo.practice.server import PracticeOdoo
from isthmus.connectors.odoo.practice.trouble import Call, Trouble

__all__ = ["Call", "PracticeOdoo", "Trouble"]
