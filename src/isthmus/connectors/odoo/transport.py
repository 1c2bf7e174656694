"""Transport: one call to a method of a model, over whatever protocol this Odoo speaks. JSON-2 and XML-RPC fulfil it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import aiohttp

from isthmus.connectors.odoo.faults import Fate, Fault

Context = Mapping[str, object]
LARGEST_ANSWER = 64 * 1024 * 1024


class Transport(Protocol):
    name: str
    """``json-2`` or ``xml-rpc``."""

    async def call(
        self, model: str, method: str, named: Mapping[str, object], *, ids: Sequence[int] | None, context: Context, timeout: float
    ) -> Any:
        """The method's result. ``ids`` None: a method of the model, not of records. Raises ``Fault``, whose verdict ``unknown``
        means that the call may have been carried out.
        """
        ...


async def post(
    http: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, where: str
) -> tuple[int, Mapping[str, str], bytes]:
    """POST and read the answer; raises ``Fault`` where none came, ``unknown`` once a byte may have left."""
    limits = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 10.0))
    try:
        async with http.post(url, data=body, headers=headers, timeout=limits, allow_redirects=False) as answer:
            return answer.status, answer.headers, await _content(answer, where)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Fault("retry", "unreachable", f"{where}: no connection to Odoo ({type(error).__name__})") from None
    except TimeoutError:
        raise Fault("unknown", "no-answer", f"{where}: Odoo did not answer in {timeout:.1f} s and may still be at it") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Fault("unknown", "connection-lost", f"{where}: the connection broke during the call ({type(error).__name__})") from None


async def _content(answer: aiohttp.ClientResponse, where: str) -> bytes:
    parts: list[bytes] = []
    room = LARGEST_ANSWER
    async for part in answer.content.iter_any():
        room -= len(part)
        if room < 0:
            raise Fault("unknown", "answer-too-large", f"{where}: Odoo's answer is above {LARGEST_ANSWER >> 20} MiB")
        parts.append(part)
    return b"".join(parts)


_ELSEWHERE: dict[int, Fate] = {
    429: Fate("retry", "slow-down", "too many calls"),
    503: Fate("retry", "unavailable", "Odoo is not ready"),
    401: Fate("retry", "unauthorised", "something before Odoo asks for credentials"),
    407: Fate("retry", "unauthorised", "something before Odoo asks for credentials"),
    403: Fate("retry", "forbidden", "something before Odoo forbids the call"),
    404: Fate("retry", "no-database", "there is no such database, or its module 'rpc' is missing; see 'database' and 'url'"),
    413: Fate("reject", "too-large", "the call is larger than a proxy before Odoo allows"),
    **dict.fromkeys(
        (301, 302, 303, 307, 308), Fate("retry", "redirected", "'url' points to another address; give the one it redirects to")
    ),
}


def refused(status: int, headers: Mapping[str, str], where: str) -> Fault:
    """The fault of an answer that is not Odoo's own: a proxy's, or a page."""
    fate = _ELSEWHERE.get(status, Fate("unknown", "strange-answer", f"status {status} without an answer of Odoo"))
    after = headers.get("Retry-After", "")
    return Fault(fate.verdict, fate.code, f"{where}: {fate.cure}", after=float(after) if after.isdecimal() else None)
