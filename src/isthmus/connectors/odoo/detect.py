"""Detect: which protocol this Odoo speaks, asked when connecting, and why it was chosen."""

from __future__ import annotations

import aiohttp
from msgspec import Struct

from isthmus.connectors.odoo import json2, xmlrpc
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.json2 import Json2
from isthmus.connectors.odoo.settings import OdooEndpoint
from isthmus.connectors.odoo.transport import Transport
from isthmus.connectors.odoo.xmlrpc import XmlRpc

_OLDEST, _JSON2 = 14, 19


class Choice(Struct, frozen=True):
    transport: Transport
    version: tuple[int, ...]
    notice: str
    """For people: what was chosen and why."""


async def choose(http: aiohttp.ClientSession, settings: OdooEndpoint, timeout: float) -> Choice:
    """Ask the server for its version, JSON first; raises ``Fault``."""
    version = await json2.version(http, settings.url, settings.database, timeout)
    if not version:
        version = await xmlrpc.version(http, settings, timeout)
    if not version:
        raise Fault("retry", "not-odoo", "the server tells no version of Odoo; see 'url'")
    series = ".".join(map(str, version))
    if version[0] < _OLDEST:
        raise Fault("reject", "too-old", f"Odoo {series} is older than {_OLDEST}, the first that is supported; update it")
    if settings.protocol == "json-2" or (settings.protocol == "auto" and version[0] >= _JSON2):
        if version[0] < _JSON2:
            raise Fault("reject", "no-json-2", f"Odoo {series} has no JSON-2 (it came with {_JSON2}); set protocol to auto")
        return Choice(Json2(http, settings), version, f"JSON-2, because the server is Odoo {series}")
    if not settings.user:
        raise Fault("reject", "no-user", f"Odoo {series} is spoken to by XML-RPC, which needs 'user', the login of the service user")
    why = "the configuration says so" if settings.protocol == "xml-rpc" else f"JSON-2 came with {_JSON2}"
    return Choice(XmlRpc(http, settings), version, f"XML-RPC, because the server is Odoo {series} and {why}")
