"""The client of an MLLP endpoint: connections that are kept open, one message at a time on each."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from isthmus.connectors.mllp.link import Heard, Link
from isthmus.connectors.mllp.reply import Expects, expects, receipt_of, receipts_of, refusal
from isthmus.connectors.mllp.settings import MllpEndpoint
from isthmus.connectors.port import Budget
from isthmus.connectors.tls import client_context
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Failure, Invalid, Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane
from isthmus.formats.hl7v2 import Acknowledgement, read_acknowledgement
from isthmus.formats.hl7v2.mllp import Noise, frame

_LISTEN = 0.2
"""Seconds that ``ping`` listens after a TLS handshake: with TLS 1.3 a refused client certificate shows only then."""


class MllpClient:
    """Until the bytes are handed to the socket a failure is ``Retry``; from then on it is ``Unknown`` until an answer names our
    control id. A connection on which anything went wrong is closed, so no later answer can be taken for another message's.
    """

    max_batch = 1

    def __init__(self, name: str, settings: MllpEndpoint, budget: Budget) -> None:
        self.in_flight = settings.connections
        self.counts: Counter[str] = Counter()
        """Reason codes of what went wrong, for telemetry."""
        self.late: Callable[[str, Receipt], None] | None = None
        """Called with control id and receipt when an acknowledgement comes that nobody waits for (any more)."""
        self._name = name
        self._settings = settings
        self._budget = budget
        self._context: ssl.SSLContext | None = None
        self._turn = asyncio.Semaphore(settings.connections)
        self._idle: list[Link] = []
        self._all: set[Link] = set()

    async def open(self) -> None:
        """Read the certificates; connections are made when they are needed."""
        if self._settings.tls is not None:
            self._context = client_context(self._settings.tls, f"endpoints.{self._name}")

    async def close(self) -> None:
        for link in self._all:
            link.close()
        self._all.clear()
        self._idle.clear()

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        return [await self._send(delivery, timeout, lane) for delivery in deliveries]

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        """HL7 v2 has no question for a control id. The same bytes under the same control id are safe where the receiver
        recognises them; where it does not, nobody but a person can say.
        """
        del delivery, timeout, lane
        if self._settings.deduplicates:
            return Retry("resend", "the receiver recognises what it has by its control id")
        return Reject("outcome-unknown", "ask the receiver for this control id, then redeliver or abandon it")

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        del timeout, lane
        raise Rejected("lookup", f"an MLLP endpoint answers no questions, such as {lookup.name!r}: ask another endpoint")

    async def ping(self, timeout: float) -> None:
        """Make a connection of its own, and close it."""
        try:
            async with self._budget.call("safety"), asyncio.timeout(timeout):
                link = await self._connect(timeout)
                try:
                    await self._accepted(link)
                finally:
                    self._drop(link)
        except TimeoutError as error:
            raise Transient("connect", f"{self._name} takes no connection within {timeout:g} s") from error

    # ---- one message -------------------------------------------------------------------------------------------------------------

    async def _send(self, delivery: Delivery, timeout: float, lane: Lane) -> Outcome:
        asked, framed = expects(delivery.body), frame(delivery.body)
        async with self._budget.call(lane), self._turn:
            ends = asyncio.get_running_loop().time() + timeout
            try:
                link = await self._begin(framed, timeout)
            except Failure as failure:
                self.counts[failure.code] += 1
                return Retry(failure.code, failure.detail)
            try:
                outcome = await self._answer(link, asked, ends)
            except BaseException:
                self._drop(link)
                raise
        if isinstance(outcome, Unknown):
            self._drop(link)
        else:
            link.end()
            self._idle.append(link)
        if not isinstance(outcome, Delivered):
            self.counts[outcome.code] += 1
        return outcome

    async def _begin(self, framed: bytes, timeout: float) -> Link:
        """A connection that has taken the message; one that died while it was idle is passed over, for it took nothing."""
        while self._idle:
            link = self._idle.pop()
            if await link.is_fresh() and link.begin(framed):
                return link
            self._drop(link)
        link = await self._connect(timeout)
        if not link.begin(framed):
            self._drop(link)
            raise Transient("connect", f"{self._name} closes the connection at once")
        return link

    async def _answer(self, link: Link, asked: Expects, ends: float) -> Outcome:
        """Listen until the answer is complete. ``so_far`` is what it is worth if no more comes."""
        so_far: Delivered | Unknown = Unknown("timeout", "it was sent and not answered within the time-out")
        try:
            async with asyncio.timeout_at(ends) as patience:
                while True:
                    reply = self._read(await link.hear())
                    if isinstance(reply, Unknown):
                        return so_far if isinstance(so_far, Delivered) else reply
                    if reply is None:
                        continue
                    if reply.control_id != asked.control_id:
                        self._strange(reply)
                        if isinstance(so_far, Unknown):
                            so_far = Unknown("foreign-acknowledgement", "it was sent; only acknowledgements of other messages came")
                        continue
                    before = so_far.receipts if isinstance(so_far, Delivered) else ()
                    if not reply.accepted:
                        return refusal(reply, before)
                    so_far = Delivered(receipts_of(reply, before))
                    if reply.application or not asked.application or not asked.accept:
                        return so_far
                    patience.reschedule(min(ends, asyncio.get_running_loop().time() + self._settings.application_wait))
        except TimeoutError:
            return so_far

    def _read(self, heard: Heard | None) -> Acknowledgement | Unknown | None:
        """None: nothing that matters. Unknown: nothing will come any more, or nothing that can be understood."""
        if heard is None:
            return Unknown("connection-lost", "it was sent, and the connection broke before the answer")
        if isinstance(heard, Noise):
            self.counts[f"noise-{heard.reason}"] += 1
            return None
        try:
            return read_acknowledgement(heard.body)
        except Invalid:
            return Unknown("garbage", "it was sent, and what came back is no acknowledgement")

    def _strange(self, reply: Acknowledgement) -> None:
        """An acknowledgement of another message than the one that is under way: late, or not ours."""
        self.counts["foreign-acknowledgement"] += 1
        if self.late is not None:
            self.late(reply.control_id, receipt_of(reply))

    def _stray(self, heard: Heard) -> None:
        """Nobody is listening: a late application acknowledgement, or noise."""
        reply = self._read(heard)
        if isinstance(reply, Acknowledgement):
            self._strange(reply)
        elif reply is not None:
            self.counts[reply.code] += 1

    # ---- connections -------------------------------------------------------------------------------------------------------------

    async def _connect(self, timeout: float) -> Link:
        """Raises ``Transient`` or ``Rejected``; nothing was sent."""
        settings = self._settings
        server_name = (settings.tls.server_name or settings.host) if settings.tls is not None else None
        try:
            async with asyncio.timeout(min(timeout, settings.connect_timeout)):
                _, link = await asyncio.get_running_loop().create_connection(
                    lambda: Link(settings.max_answer, settings.keepalive, self._stray),
                    settings.host,
                    settings.port,
                    ssl=self._context,
                    server_hostname=server_name,
                )
        except ssl.SSLError as error:
            raise self._no_trust() from error
        except OSError as error:  # TimeoutError is one
            raise Transient("connect", f"{self._name} takes no connection ({error.strerror or 'no answer'})") from error
        self._all.add(link)
        return link

    async def _accepted(self, link: Link) -> None:
        """With TLS 1.3 the server judges our certificate after our side of the handshake is done."""
        if self._context is None:
            return
        try:
            async with asyncio.timeout(_LISTEN):
                while await link.hear() is not None:
                    pass
        except TimeoutError:
            return
        raise self._no_trust()

    def _no_trust(self) -> Rejected:
        return Rejected(
            "tls", f"no trust between us and {self._name}: compare endpoints.{self._name}.tls with its certificate and its authorities"
        )

    def _drop(self, link: Link) -> None:
        link.abort()
        self._all.discard(link)
