"""Endpoint: a place to which deliveries go. The value says what it is; configuration says where."""

from __future__ import annotations


class Endpoint:
    """Base of what connectors offer as words (``Odoo("odoo")``, ``Mllp("lab")``); pure, without a socket.

    ``kind`` names the connector whose client carries the deliveries out.
    """

    kind: str = ""

    def __init__(self, name: str, *, system: str = "", owner: str = "") -> None:
        self.name = name
        self.system = system or name
        self.owner = owner

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"
