"""The systems that this site sends to. What they are is said here; where they are is said in isthmus.toml."""

from __future__ import annotations

from isthmus.connectors.file.words import Folder

arrivals = Folder("arrivals", system="the front desk's list", owner="front-desk")
"""A folder for a start. Change it to Odoo("odoo"), Http("portal") or Mllp("lab") when you know where things shall go."""
