"""The systems around the drill ward, one of each kind that fails in its own way."""

from __future__ import annotations

from isthmus.connectors.http.words import Http
from isthmus.connectors.mllp.words import Mllp
from isthmus.connectors.odoo import Odoo

chart = Http("chart", system="ward chart", owner="drill")
lab = Mllp("lab", system="laboratory", owner="drill")
odoo = Odoo("odoo", system="Odoo", owner="drill")
