"""Server: a practice Odoo on a real socket. It keeps what it is given, refuses what Odoo refuses, and misbehaves on request."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from isthmus.connectors.odoo.practice import protocols
from isthmus.connectors.odoo.practice.catalogue import FURNITURE, catalogue
from isthmus.connectors.odoo.practice.errors import OdooError
from isthmus.connectors.odoo.practice.methods import call
from isthmus.connectors.odoo.practice.protocols import Request
from isthmus.connectors.odoo.practice.records import Records, User
from isthmus.connectors.odoo.practice.store import Store
from isthmus.connectors.odoo.practice.trouble import Call, Trouble

_JSON2 = 19
_NO_DATABASE = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected</p>\n"
_INDEXED = (("account.move.line", "move_id"), ("stock.move", "picking_id"), ("stock.quant", "product_id"), ("res.partner", "parent_id"))


class PracticeOdoo:
    """``async with PracticeOdoo() as odoo:`` and it listens at ``odoo.url``; ``version`` below 19 speaks XML-RPC only.

    ``path``: a file in which everything is kept, so that it can be stopped and started. Without it, it forgets.
    """

    def __init__(
        self, port: int = 0, *, path: Path | None = None, version: int = _JSON2, key: str = "practice-key", database: str = "practice"
    ) -> None:
        self.port = port
        self.version = version
        self.database = database
        self.login = "isthmus"
        self.key = key
        self.low_key = f"{key}-low"
        """Key of the user ``low``, who may write nothing but contacts' categories."""
        self.trouble = Trouble()
        self.calls: list[Call] = []
        self._store = Store(path)
        for model, field in _INDEXED:
            self._store.index(model, field)
        self._models = catalogue(version)
        self._users = (User(5, self.login, key, 2), User(6, "low", self.low_key, 2, frozenset({"res.partner.category"})))
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; again on the same port after a stop, with all that was kept."""
        self._store.open()
        if not self._store.ids("res.company"):
            self._furnish()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/web/health", self._health)
        app.router.add_get("/web/version", self._version)
        app.router.add_post("/json/2/{model}/{method}", self._json2)
        app.router.add_post("/xmlrpc/2/{service}", self._xmlrpc)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._store.close()

    def count(self, model: str, domain: list[Any] | None = None) -> int:
        """How many records there are, archived ones too."""
        return len(self._records(self._users[0], {"active_test": False}).search(model, domain or []))

    def rows(self, model: str, domain: list[Any] | None = None, fields: list[str] | None = None) -> list[dict[str, Any]]:
        records = self._records(self._users[0], {"active_test": False})
        return records.read(model, records.search(model, domain or []), fields or list(records.fields(model)))

    def unnamed(self, model: str) -> int:
        """Records that carry no external id: made by hand, or a second time by a client that did not look first."""
        return sum(not self._store.xml_ids_of(model, row["id"]) for row in self.rows(model, fields=["id"]))

    def model_of(self, xml_id: str) -> str:
        """The model of the record under an external id; empty where there is none."""
        row = self._store.xml_id(xml_id)
        return "" if row is None else str(row["model"])

    # ---- answers

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "pass"})

    async def _version(self, _request: web.Request) -> web.StreamResponse:
        if self.version < _JSON2:
            return web.Response(status=404, text=_NO_DATABASE, content_type="text/html")
        return web.json_response(protocols.version_info(self.version))

    async def _json2(self, request: web.Request) -> web.StreamResponse:
        if self.version < _JSON2 or request.headers.get("X-Odoo-Database", self.database) != self.database:
            return web.Response(status=404, text=_NO_DATABASE, content_type="text/html")
        try:
            key = request.headers.get("Authorization", "").removeprefix("bearer ")
            user = self._user(lambda one: one.key == key)
            asked = protocols.json2_request(request.match_info["model"], request.match_info["method"], await request.read())
            result = await self._carry_out(user, asked, request)
        except OdooError as error:
            return web.Response(status=error.status, body=protocols.json2_error(error), content_type="application/json")
        return result if isinstance(result, web.StreamResponse) else web.json_response(result)

    async def _xmlrpc(self, request: web.Request) -> web.StreamResponse:
        method, params = protocols.parse(await request.read())
        try:
            result = await self._service(request.match_info["service"], method, params, request)
            if isinstance(result, web.StreamResponse):
                return result
            body = protocols.xmlrpc_result(result)
        except OdooError as error:
            body = protocols.xmlrpc_error(error)
        return web.Response(body=body, content_type="text/xml")

    async def _service(self, service: str, method: str, params: tuple[Any, ...], request: web.Request) -> Any:
        if (service, method) == ("common", "version"):
            return {
                "server_version": f"{self.version}.0",
                "server_version_info": [self.version, 0, 0, "final", 0, ""],
                "protocol_version": 1,
            }
        if params[0] != self.database:
            raise OdooError("psycopg2.OperationalError", f'FATAL:  database "{params[0]}" does not exist')
        if (service, method) == ("common", "authenticate"):
            _, login, key, _ = params
            return next((one.id for one in self._users if (one.login, one.key) == (login, key)), False)
        _, uid, key, asked = protocols.execute_kw(params)
        try:
            user = self._user(lambda one: (one.id, one.key) == (uid, key))
        except OdooError:
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied") from None
        return await self._carry_out(user, asked, request)

    def _user(self, test: Any) -> User:
        for user in self._users:
            if test(user):
                return user
        raise OdooError("werkzeug.exceptions.Unauthorized", "Invalid apikey")

    # ---- one call, one transaction

    async def _carry_out(self, user: User, asked: Request, request: web.Request) -> Any:
        noted = Call(asked.model, asked.method, user.login, asked.context)
        self.calls.append(noted)
        match trouble := self.trouble.of(noted):
            case "unavailable":
                return web.Response(status=503, headers={"Retry-After": "1"}, text="no server available")
            case "serialization":
                raise OdooError("psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update")
            case "breaks":
                raise OdooError("builtins.ValueError", "a value that nobody expected")
            case "lies":
                return {"ids": False, "messages": [], "nextrow": 0} if asked.method == "load" else True
            case "slow":
                await asyncio.sleep(self.trouble.seconds)
        with self._store.transaction():
            result = call(self._records(user, asked.context), asked.model, asked.method, asked.ids, asked.named)
        if trouble in ("silent", "drops"):
            if trouble == "silent":
                await _until_gone(request)
            if request.transport is not None:
                request.transport.abort()
        return result

    def _records(self, user: User, context: dict[str, Any]) -> Records:
        return Records(self._store, self._models, user, context)

    def _furnish(self) -> None:
        with self._store.transaction():
            records = self._records(self._users[0], {})
            for user in self._users:
                row = {"id": user.id, "name": user.login, "login": user.login, "active": True, "company_ids": [1]}
                self._store.put("res.users", user.id, row | {"create_date": records.now, "write_date": records.now})
            for xml_id, model, values in FURNITURE:
                record = records.create(model, values)
                self._store.put_xml_id(xml_id, {"model": model, "res_id": record, "noupdate": False})


async def _until_gone(request: web.Request) -> None:
    """As long as the client waits."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - aiohttp tells nobody when a client leaves
        await asyncio.sleep(0.02)
