"""Protocols: JSON-2 and XML-RPC requests into calls, results and errors into answers. Sans-I/O."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.connectors.odoo.practice.errors import OdooError


class Request(Struct, frozen=True):
    model: str
    method: str
    ids: tuple[int, ...] = ()
    named: dict[str, Any] = {}
    context: dict[str, Any] = {}


def json2_request(model: str, method: str, body: bytes) -> Request:
    try:
        arguments = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise OdooError("werkzeug.exceptions.UnprocessableEntity", f"could not parse the body as json: {error}") from None
    ids, context = tuple(arguments.pop("ids", ())), dict(arguments.pop("context", {}))
    return Request(model, method, ids, arguments, context)


def json2_error(error: OdooError) -> bytes:
    whole = {"name": error.name, "message": error.message, "arguments": [error.message], "context": {}, "debug": error.traceback}
    return msgspec.json.encode(whole)


def execute_kw(params: tuple[Any, ...]) -> tuple[str, int, str, Request]:
    """Database, uid, key and the request."""
    database, uid, key, model, method, positional, *rest = params
    named: dict[str, Any] = dict(rest[0]) if rest else {}
    context = named.pop("context", {})
    return database, uid, key, Request(model, method, tuple(positional[0]) if positional else (), named, context)


def parse(body: bytes) -> tuple[str, tuple[Any, ...]]:
    params, method = xmlrpc.client.loads(body)
    return method or "", params


def xmlrpc_result(result: Any) -> bytes:
    """None cannot be sent: by then the work is done and committed, as in the real one."""
    try:
        return _answer((result,))
    except TypeError as error:
        return _answer(xmlrpc.client.Fault(1, f"Traceback (most recent call last):\nTypeError: {error}"))


def xmlrpc_error(error: OdooError) -> bytes:
    code = error.fault_code
    return _answer(xmlrpc.client.Fault(code, error.traceback if code == 1 else error.message))


def _answer(content: tuple[Any, ...] | xmlrpc.client.Fault) -> bytes:
    return xmlrpc.client.dumps(content, methodresponse=True, allow_none=False).encode()


def version_info(version: int) -> Mapping[str, Any]:
    return {"version": f"{version}.0", "version_info": [version, 0, 0, "final", 0, ""]}
