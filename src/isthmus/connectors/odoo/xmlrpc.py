"""XML-RPC: ``execute_kw`` on ``/xmlrpc/2/object``; Odoo 14 to 18, announced for removal after 19."""

from __future__ import annotations

import re
import xmlrpc.client
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp

from isthmus.connectors.odoo.faults import Fault, by_name
from isthmus.connectors.odoo.settings import OdooEndpoint
from isthmus.connectors.odoo.transport import Context, post, refused

_FAULTS = {2: "UserError", 3: "AccessDenied", 4: "AccessError"}
_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")
_NO_NONE = "cannot marshal None"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class XmlRpc:
    name = "xml-rpc"

    def __init__(self, http: aiohttp.ClientSession, settings: OdooEndpoint) -> None:
        self._http = http
        self._settings = settings
        self._uid = 0

    async def call(
        self, model: str, method: str, named: Mapping[str, object], *, ids: Sequence[int] | None, context: Context, timeout: float
    ) -> Any:
        settings, where = self._settings, f"{model}/{method}"
        if not self._uid:
            await self._authenticate(timeout)
        positional = [] if ids is None else [list(ids)]
        params = (settings.database, self._uid, settings.key, model, method, positional, {**named, "context": dict(context)})
        return await self._execute("object", "execute_kw", params, timeout, where)

    async def _authenticate(self, timeout: float) -> None:
        settings = self._settings
        try:
            uid = await self._execute(
                "common", "authenticate", (settings.database, settings.user, settings.key, {}), timeout, "authenticate"
            )
        except Fault as fault:
            if fault.code in ("not-understood", "database-lost"):  # what it says of an unknown database is a bare error of PostgreSQL
                raise Fault("retry", "no-database", "authenticate: there is no such database, or it is not up; see 'database'") from None
            raise Fault("retry", fault.code, fault.detail, after=fault.after) from None
        if not isinstance(uid, int) or not uid:
            raise by_name("AccessDenied", "authenticate")
        self._uid = uid

    async def _execute(self, service: str, method: str, params: tuple[Any, ...], timeout: float, where: str) -> Any:
        try:
            body = xmlrpc.client.dumps(_sendable(params, where), method, allow_none=False).encode()
        except OverflowError:
            raise Fault("reject", "bad-value", f"{where}: a whole number is above what XML-RPC can carry (2^31)") from None
        url = f"{self._settings.url}/xmlrpc/2/{service}"
        status, headers, content = await post(self._http, url, body, {"Content-Type": "text/xml"}, timeout=timeout, where=where)
        if status != HTTPStatus.OK:
            raise refused(status, headers, where)
        return _parse(content, where)


async def version(http: aiohttp.ClientSession, settings: OdooEndpoint, timeout: float) -> tuple[int, ...]:
    """The server's version as ``common.version`` tells it to anybody; empty where it does not."""
    answer = await XmlRpc(http, settings)._execute("common", "version", (), timeout, "version")  # noqa: SLF001 - same file, same idea
    info = answer.get("server_version_info") if isinstance(answer, dict) else None
    return tuple(part for part in info[:2] if isinstance(part, int)) if isinstance(info, list) else ()


def _sendable(value: Any, where: str) -> Any:
    """The value without what XML cannot carry: null becomes false, which means the same to Odoo."""
    if value is None:
        return False
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        raise Fault("reject", "bad-value", f"{where}: a text holds a control character that XML cannot carry; clean it in the interface")
    if isinstance(value, Mapping):
        return {key: _sendable(one, where) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_sendable(one, where) for one in value)
    if isinstance(value, list):
        return [_sendable(one, where) for one in value]
    return value


def _parse(content: bytes, where: str) -> Any:
    """The result in an answer, or its fault. A document type or a NUL is no answer of Odoo but an attempt to blow up the parser."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise Fault("unknown", "strange-answer", f"{where}: an XML answer with a document type is not taken")
    try:
        (result,), _ = xmlrpc.client.loads(content)
    except xmlrpc.client.Fault as fault:
        return _fault(fault, where)
    except Exception as error:  # noqa: BLE001 - expat, ValueError, KeyError, …: whatever is wrong with it, it is not an answer
        raise Fault("unknown", "strange-answer", f"{where}: not an XML-RPC answer ({type(error).__name__})") from None
    return result


def _fault(fault: xmlrpc.client.Fault, where: str) -> None:
    """Raise what a fault means. Code 1 carries a traceback, whose last line begins with the exception's name."""
    text = str(fault.faultString)
    if _NO_NONE in text:
        return  # the method has done its work and been committed; only its None could not be sent
    name = _FAULTS.get(fault.faultCode, "")
    if not name:
        lines = [match[1] for line in text.splitlines() if (match := _RAISED.match(line)) and match[1] != "Traceback"]
        name = next((one for one in reversed(lines) if one[0].islower() and "." in one), lines[-1] if lines else "")
    raise by_name(name, where)
