"""The client of an HTTP endpoint: connections kept alive, every failure an outcome."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

import msgspec

from isthmus.connectors.http.failures import Failed, no_trust, unanswered
from isthmus.connectors.http.outgoing import Outgoing
from isthmus.connectors.http.response import Response, TooLarge
from isthmus.connectors.http.settings import HttpEndpoint
from isthmus.connectors.http.statuses import GONE, outcome_of, retry_after
from isthmus.connectors.http.wire import Wire
from isthmus.connectors.http.words import Request, read_operation
from isthmus.connectors.port import Budget, NoTurn
from isthmus.connectors.tls import client_context
from isthmus.core.claim import ReadPiece
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug, Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane


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
        self._wire: Wire | None = None
        self._piece: ReadPiece | None = None

    def redeem_from(self, read: ReadPiece) -> None:
        self._piece = read

    async def open(self) -> None:
        """Get ready to connect; whether the endpoint is there shows at the first request (or ``ping``)."""
        if self._wire is not None:
            return
        settings = self._settings
        headers = {"User-Agent": "isthmus", "Accept-Encoding": "identity"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        elif settings.user:
            headers["Authorization"] = f"Basic {base64.b64encode(f'{settings.user}:{settings.password}'.encode()).decode()}"
        self._wire = Wire(
            self._url,
            headers=headers,
            context=client_context(settings.tls, f"endpoints.{self._name}") if settings.tls else None,
            limit=settings.in_flight,
            connect_timeout=settings.connect_timeout,
        )

    async def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

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
            outcome: Outcome
            ends = asyncio.get_running_loop().time() + timeout
            try:
                response = await self._open_wire().request(request.method, request.path, headers, outgoing.data, timeout=timeout)
                outcome = outcome_of(request.method, response.status, after=self._after(response), idempotent=self._settings.idempotent)
            except (Failed, Rejected, Transient) as error:
                # Besides the wire, only a document fails, while it is read; then its outcome is there.
                if outgoing.outcome is None and not isinstance(error, Failed):
                    raise
                outcome = outgoing.outcome or unanswered(cast("Failed", error), self._name)
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
            async with self._budget.call(lane):
                response = await self._open_wire().request("GET", path, {"Accept": "application/json"}, timeout=timeout, limit=limit)
        except TooLarge:
            raise Rejected("answer-size", f"an answer is larger than max_answer ({limit} bytes): ask for less, or raise it") from None
        except Failed as error:
            if no_trust(error):
                outcome = unanswered(error, self._name)
                raise Rejected(outcome.code, outcome.detail) from error
            raise Transient(error.code, f"GET {path} of {self._name} was not answered") from error
        return response.status, self._after(response), response.body

    def _open_wire(self) -> Wire:
        if self._wire is None:
            raise Bug("closed", f"the client of {self._name} is not open: call open() first")
        return self._wire

    def _after(self, response: Response) -> float | None:
        value = response.header(b"retry-after")
        if not value:
            return None
        now = self._now()
        with contextlib.suppress(ValueError, TypeError):  # a date is meant by the receiver's own clock
            now = parsedate_to_datetime(response.header(b"date"))
        return retry_after(value, now)
