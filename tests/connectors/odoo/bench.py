"""The bench: an Odoo behind a proxy, a client before it, and eyes of its own on what Odoo holds."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from typing import Any

import aiohttp
from connectors.odoo.proxy import Proxy
from msgspec.structs import replace

from isthmus.connectors.odoo import Odoo, OdooEndpoint
from isthmus.connectors.odoo.client import OdooClient
from isthmus.connectors.odoo.json2 import Json2
from isthmus.connectors.odoo.transport import Transport
from isthmus.connectors.odoo.xmlrpc import XmlRpc
from isthmus.connectors.suite import Unlimited
from isthmus.core.delivery import Delivery
from isthmus.core.outcome import Delivered, Outcome

COUNTED = (
    "res.partner",
    "product.product",
    "account.move",
    "account.move.line",
    "stock.picking",
    "stock.move",
    "project.task",
    "calendar.event",
)
words = Odoo("odoo", owner="tests")


class Bench:
    """``key("x")`` is a key of this test alone, so that tests may share a database."""

    def __init__(self, endpoint: OdooEndpoint, admin: OdooEndpoint, proxy: Proxy, low_key: str) -> None:
        self.endpoint = endpoint
        self.low_key = low_key
        self.proxy = proxy
        self.real = False
        self.odoo = words
        self._admin = admin
        self._mine = uuid.uuid4().hex[:8]
        self._clients: list[OdooClient] = []
        self._http: aiohttp.ClientSession | None = None
        self._eyes: dict[str, Transport] = {}

    def key(self, name: str) -> str:
        return f"{name}-{self._mine}"

    def client(self, **changes: Any) -> OdooClient:
        client = OdooClient("odoo", replace(self.endpoint, **changes), Unlimited(), random.Random(7))
        self._clients.append(client)
        return client

    async def send(self, *deliveries: Delivery, client: OdooClient | None = None, timeout: float = 30.0) -> Sequence[Outcome]:
        return await (client or self.client()).send(deliveries, timeout)

    async def deliver(self, *deliveries: Delivery, client: OdooClient | None = None) -> list[Delivered]:
        """Send, and all of it is delivered."""
        outcomes = await self.send(*deliveries, client=client)
        delivered = [one for one in outcomes if isinstance(one, Delivered)]
        assert len(delivered) == len(outcomes), outcomes
        return delivered

    async def see(self, model: str, method: str, ids: Sequence[int] | None = None, /, **named: Any) -> Any:
        """A call of the administrator's, past the proxy."""
        eyes = await self._look(self._admin)
        context = {"active_test": False, "allowed_company_ids": [self._admin.company], "lang": "en_US"}
        return await eyes.call(model, method, named, ids=ids, context=context, timeout=30.0)

    async def _look(self, user: OdooEndpoint) -> Transport:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        if user.key not in self._eyes:
            settings = replace(user, url=self._admin.url)
            self._eyes[user.key] = XmlRpc(self._http, settings) if settings.protocol == "xml-rpc" else Json2(self._http, settings)
        return self._eyes[user.key]

    async def count(self, model: str, domain: Sequence[Any] = ()) -> int:
        return int(await self.see(model, "search_count", domain=list(domain)))

    async def counts(self) -> dict[str, int]:
        return {model: await self.count(model) for model in COUNTED}

    async def rows(self, model: str, domain: Sequence[Any], *fields: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.see(model, "search_read", domain=list(domain), fields=list(fields))
        return found

    async def row(self, outcome: Outcome, *fields: str) -> dict[str, Any]:
        """The record that a receipt points to."""
        assert isinstance(outcome, Delivered), outcome
        model, _, record = outcome.receipts[-1].reference.partition("/")
        own = await self._look(self.endpoint)  # a private calendar entry shows itself to those invited and its organiser only
        context = {"active_test": False, "allowed_company_ids": [self.endpoint.company]}
        named = {"domain": [["id", "=", int(record)]], "fields": list(fields)}
        (row,) = await own.call(model, "search_read", named, ids=None, context=context, timeout=30.0)
        found: dict[str, Any] = row
        return found

    async def close(self) -> None:
        for client in self._clients:
            await client.close()
        if self._http is not None:
            await self._http.close()
        await self.proxy.stop()
