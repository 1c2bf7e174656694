"""JSON-2: ``POST /json/2/<model>/<method>`` with named arguments and a bearer key; Odoo 19 and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from isthmus.connectors.odoo.faults import Fault, by_name
from isthmus.connectors.odoo.settings import OdooEndpoint
from isthmus.connectors.odoo.transport import Context, post, refused


class Json2:
    name = "json-2"

    def __init__(self, http: aiohttp.ClientSession, settings: OdooEndpoint) -> None:
        self._http = http
        self._url = settings.url
        self._headers = {
            "Authorization": f"bearer {settings.key}",
            "Content-Type": "application/json",
            "X-Odoo-Database": settings.database,
        }

    async def call(
        self, model: str, method: str, named: Mapping[str, object], *, ids: Sequence[int] | None, context: Context, timeout: float
    ) -> Any:
        where = f"{model}/{method}"
        arguments = {**named, "context": context} if ids is None else {**named, "ids": ids, "context": context}
        body = msgspec.json.encode(arguments)
        status, headers, content = await post(
            self._http, f"{self._url}/json/2/{model}/{method}", body, self._headers, timeout=timeout, where=where
        )
        try:
            answer = msgspec.json.decode(content)
        except msgspec.DecodeError:
            raise refused(status, headers, where) from None
        if status == HTTPStatus.OK:
            return answer
        if isinstance(answer, dict) and isinstance(name := answer.get("name"), str):
            raise by_name(name, where)
        raise refused(status, headers, where)


async def version(http: aiohttp.ClientSession, url: str, database: str, timeout: float) -> tuple[int, ...]:
    """What ``/web/version`` says (Odoo 19 and later); empty where there is no such page."""
    try:
        async with http.get(
            f"{url}/web/version",
            headers={"X-Odoo-Database": database},
            timeout=aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 10.0)),
            allow_redirects=False,
        ) as answer:
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise refused(answer.status, answer.headers, "version")
            content = await answer.content.read(100_000)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Fault("retry", "unreachable", f"no connection to Odoo ({type(error).__name__})") from None
    try:
        info = msgspec.json.decode(content)["version_info"]
        return tuple(int(part) for part in info[:2])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return ()
