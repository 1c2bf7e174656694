"""The systems that this hospital sends to. What they are is said here; where they are is said in isthmus.toml."""

from __future__ import annotations

from isthmus.connectors.http.words import Http
from isthmus.connectors.mllp.words import Mllp
from isthmus.connectors.odoo import Odoo

odoo = Odoo("odoo", system="Odoo", owner="finance-it")
"""The administration: invoices, stock, calendar, service tasks. Holds no patient: no name, no number, no diagnosis."""

lab = Mllp("lab", system="laboratory information system", owner="laboratory-it")
"""The laboratory. Speaks HL7 v2 over MLLP."""

portal = Http("portal", system="clinical portal", owner="clinical-it")
"""The clinicians' portal. A clinical system: it may hold patients and their results."""
