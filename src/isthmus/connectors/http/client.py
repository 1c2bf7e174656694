"""The client of an HTTP endpoint: one session, connections kept alive, every failure an outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec

from isthmus.connectors.http.failures import no_trust, unanswered
from isthmus.connectors.http.outgoing import Outgoing
from isthmus.connectors.http.settings import HttpEndpoint
from isthmus.connectors.http.statuses import GONE, outcome_of, retry_after
from isthmus.connectors.http.words import Request, read_operation
from isthmus.connectors.port import Budget, NoTurn
from isthmus.connectors.tls import client_context
from isthmus.core.claim import ReadPiece
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug, Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane

_DRAIN = 1 << 16
"""Bytes of an unwanted answer that are read so that its connection can be used again; after that it is closed."""


class _Sent(SimpleNamespace):
    """Of one request: whether anything of it has left."""

    headers = False


class HttpClient:
    """Writes under ``Idempotency-Key: <delivery id>``, so that a receiver can recognise what it has already done."""

    max_batch = 1

    def __init__(
        self, name: str, settings: HttpEndpoint, budget: Budget, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.in_flight = settings.in_flight
        self.counts: Counter[str] = Counter()
        """Reason codes of what went wrong, for telemetry."""
        self._name = name
        self._settings = settings
        self._budget = budget
        self._now = now
        self._url = settings.url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._piece: ReadPiece | None = None

    def redeem_from(self, read: ReadPiece) -> None:
        self._piece = read

    async def open(self) -> None:
        """Build the session; whether the endpoint is there shows at the first request (or ``ping``)."""
        if self._session is not None:
            return
        settings = self._settings
        headers = {"User-Agent": "isthmus"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        elif settings.user:
            headers["Authorization"] = aiohttp.encode_basic_auth(settings.user, settings.password)
        context = client_context(settings.tls, f"endpoints.{self._name}") if settings.tls else True
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_headers_sent)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.in_flight, ssl=context, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            trace_configs=[trace],
            auto_decompress=False,
        )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        return [await self._send(delivery, timeout, lane) for delivery in deliveries]

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        """By the confirming GET where the delivery names one; else by what we know of the receiver."""
        request = read_operation(delivery.operation)
        if request.confirm:
            try:
                status = await self._confirm(request, timeout, lane)
            except NoTurn:
                raise
            except (Transient, Rejected) as failure:
                return Unknown(failure.code, "the confirming GET was not answered")
            if status == HTTPStatus.OK:
                return Delivered((Receipt("business", "200", request.confirm),))
            if status not in GONE:
                return Unknown(f"http-{status}", "the confirming GET says neither that it is there nor that it is not")
        if self._settings.idempotent or request.confirm:
            return Retry("not-seen" if request.confirm else "resend", "sending it again is safe")
        return Reject("outcome-unknown", "ask the receiver whether it took effect, then redeliver or abandon it")

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        method, _, path = lookup.name.partition(" ")
        if method != "GET" or not path.startswith("/"):
            raise Rejected("lookup", f"an HTTP endpoint answers `GET /path`, not {method!r}: build the question by the words of Http")
        status, after, body = await self._read(path, timeout, self._settings.max_answer, lane)
        if status != HTTPStatus.OK:
            outcome = outcome_of("GET", status, after=after, idempotent=True)
            if isinstance(outcome, Retry | Unknown):
                raise Transient(outcome.code, f"{lookup.name} was not answered", after)
            raise Rejected(f"http-{status}", f"{lookup.name} has no answer of status 200")
        try:
            return msgspec.json.decode(body, type=lookup.answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The parser's own sentence would quote values.
            raise Rejected("answer", f"{lookup.name} answers no {lookup.answer.__name__}: compare its fields with the answer's") from None

    async def ping(self, timeout: float) -> None:
        """Any answer below 500 but 401 shows that it is there."""
        status, after, _ = await self._read("/", timeout, 0, "safety")
        if status == HTTPStatus.UNAUTHORIZED:
            raise Rejected("http-401", f"{self._name} does not take our credentials: renew the token or password")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
            raise Transient(f"http-{status}", f"{self._name} answers {status}", after)

    # ---- one request -------------------------------------------------------------------------------------------------------------

    async def _send(self, delivery: Delivery, timeout: float, lane: Lane) -> Outcome:
        request = read_operation(delivery.operation)
        outgoing = Outgoing(delivery, self._piece, self._name)
        headers = {"Idempotency-Key": delivery.id, "X-Correlation-Id": delivery.correlation_id, **outgoing.headers}
        async with self._budget.call(lane):
            sent = _Sent()
            outcome: Outcome | None = None
            ends = asyncio.get_running_loop().time() + timeout
            try:
                async with (
                    asyncio.timeout_at(ends),
                    self._open_session().request(
                        request.method,
                        self._url + request.path,
                        data=outgoing.data,
                        headers=headers,
                        allow_redirects=False,
                        trace_request_ctx=sent,
                    ) as response,
                ):
                    outcome = outcome_of(request.method, response.status, after=self._after(response), idempotent=self._settings.idempotent)
                    await _drain(response)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                # Once the status is there, what breaks afterwards changes nothing.
                outcome = outcome or outgoing.outcome or unanswered(error, sent=sent.headers, name=self._name)
        if request.confirm and isinstance(outcome, Delivered):
            outcome = await self._confirmed(request, outcome, ends - asyncio.get_running_loop().time(), lane)
        if not isinstance(outcome, Delivered):
            self.counts[outcome.code] += 1
        return outcome

    async def _confirmed(self, request: Request, outcome: Delivered, timeout: float, lane: Lane) -> Outcome:
        """A 2xx is a claim; the GET shows whether it is true. If not yet, ``check`` asks again later."""
        try:
            status = await self._confirm(request, max(timeout, 0.1), lane)
        except (Transient, Rejected) as failure:
            return Unknown("not-confirmed", f"taken, but the confirming GET was not answered ({failure.code})")
        if status == HTTPStatus.OK:
            return Delivered((*outcome.receipts, Receipt("business", "200", request.confirm)))
        return Unknown("not-confirmed", f"taken, but the confirming GET answers {status}")

    async def _confirm(self, request: Request, timeout: float, lane: Lane) -> int:
        status, _, _ = await self._read(request.confirm, timeout, 0, lane)
        return status

    async def _read(self, path: str, timeout: float, limit: int, lane: Lane) -> tuple[int, float | None, bytes]:
        """A GET: status, Retry-After, and up to ``limit`` bytes of body."""
        try:
            async with (
                self._budget.call(lane),
                asyncio.timeout(timeout),
                self._open_session().get(
                    self._url + path,
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    allow_redirects=False,
                    trace_request_ctx=_Sent(),
                ) as response,
            ):
                body = b""
                if limit and response.status == HTTPStatus.OK:
                    body = await _bounded(response, limit)
                else:
                    await _drain(response)
                return response.status, self._after(response), body
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            outcome = unanswered(error, sent=False, name=self._name)
            if no_trust(error):
                raise Rejected(outcome.code, outcome.detail) from error
            raise Transient(outcome.code, f"GET {path} of {self._name} was not answered") from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise Bug("closed", f"the client of {self._name} is not open: call open() first")
        return self._session

    def _after(self, response: aiohttp.ClientResponse) -> float | None:
        value = response.headers.get("Retry-After")
        if not value:
            return None
        now = self._now()
        with contextlib.suppress(ValueError, TypeError):  # a date is meant by the receiver's own clock
            now = parsedate_to_datetime(response.headers.get("Date", ""))
        return retry_after(value, now)


async def _headers_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestHeadersSentParams) -> None:
    context.trace_request_ctx.headers = True


async def _drain(response: aiohttp.ClientResponse) -> None:
    left = _DRAIN
    async for chunk in response.content.iter_any():
        left -= len(chunk)
        if left < 0:
            response.close()
            return


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            raise Rejected("answer-size", f"an answer is larger than max_answer ({limit} bytes): ask for less, or raise it")
        chunks.append(chunk)
    return b"".join(chunks)
