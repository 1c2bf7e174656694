"""Wire: requests to one HTTP server over connections that are kept alive. One request at a time on each; no pipelining.

It does what deliveries need and no more: no redirects, no cookies, no proxies, no decompression. What it always knows is whether
anything of a request has left, for that decides between *try again* and *nobody knows*. A request on a kept connection that turns
out to be gone is counted as having left: the server may have read it before it closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import quote, urlsplit

from isthmus.connectors.http.failures import NoConnection, Unanswered
from isthmus.connectors.http.response import Malformed, Response, TooLarge

Content = bytes | AsyncIterator[bytes]
"""A body: bytes, or pieces that come while it is sent (its headers must say Content-Length then)."""

KEPT = 30.0
"""Seconds for which an idle connection is used again; servers usually keep theirs a little longer."""
_JOINED = 1 << 16
"""Bytes up to which head and body leave in one write."""


class Wire:
    """``limit`` connections at most; who comes beyond waits for one, within its time-out."""

    def __init__(self, url: str, *, headers: Mapping[str, str], context: ssl.SSLContext | None, limit: int, connect_timeout: float) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._context = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self._limit = limit
        self._connect_timeout = connect_timeout
        self._base = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        named = f"[{self._host}]" if ":" in self._host else _ascii(self._host)
        usual = parts.port is None or parts.port == (443 if parts.scheme == "https" else 80)
        self._fixed = _fields({"Host": named if usual else f"{named}:{parts.port}", **headers})
        self._idle: deque[tuple[_Line, float]] = deque()
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lines: set[_Line] = set()
        self._gone: asyncio.Future[None] | None = None

    @property
    def connections(self) -> int:
        return len(self._lines)

    async def close(self) -> None:
        """Cut every connection; what is under way ends as ``Unanswered``."""
        for line in tuple(self._lines):
            line.abort()
        if self._lines:
            self._gone = asyncio.get_running_loop().create_future()
            await self._gone

    async def request(
        self, method: str, path: str, headers: Mapping[str, str], body: Content = b"", *, timeout: float, limit: int = 0
    ) -> Response:
        """The answer. Raises ``NoConnection`` (nothing has left), ``Unanswered`` (something has) or ``TooLarge`` (body over ``limit``)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        await self._place(until)
        try:
            line: _Line = self._kept(loop.time()) or await self._connect(until)
            own = _fields(headers)
            if isinstance(body, bytes) and (body or method != "GET"):
                own += b"Content-Length: %d\r\n" % len(body)
            head = b"%b %b%b HTTP/1.1\r\n%b%b\r\n" % (method.encode(), self._base.encode(), path.encode(), self._fixed, own)
            response = await line.exchange(head, body, limit, until)
            if response.reusable and not line.closing:
                self._idle.append((line, loop.time() + KEPT))
            else:
                line.abort()
            return response
        finally:
            self._leave()

    # ---- connections

    async def _place(self, until: float) -> None:
        """One of ``limit`` places; every request has one from here to its end."""
        if self._open < self._limit:
            self._open += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(until):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave()  # its turn came in the same moment
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise NoConnection("connect", "all connections were in use until the time-out") from None
            raise

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place changes hands
                return
        self._open -= 1

    def _kept(self, now: float) -> _Line | None:
        """The connection that was used last; the ones that are old go."""
        while self._idle and (self._idle[0][1] < now or self._idle[0][0].closing):
            self._idle.popleft()[0].abort()
        while self._idle:
            line, _ = self._idle.pop()
            if not line.closing:
                return line
        return None

    async def _connect(self, until: float) -> _Line:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(until, loop.time() + self._connect_timeout)):
                _, line = await loop.create_connection(
                    lambda: _Line(self._lines.add, self._lost),
                    self._host,
                    self._port,
                    ssl=self._context,
                    server_hostname=self._host if self._context else None,
                )
        except socket.gaierror as error:
            raise NoConnection("name", "the name service does not know its host") from error
        except ssl.SSLError as error:
            raise NoConnection("tls", "no trust between us and it") from error
        except (TimeoutError, OSError) as error:
            raise NoConnection("connect", "it takes no connection") from error
        return line

    def _lost(self, line: _Line) -> None:
        self._lines.discard(line)
        if not self._lines and self._gone is not None and not self._gone.done():
            self._gone.set_result(None)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, made: Callable[[_Line], None], lost: Callable[[_Line], None]) -> None:
        self._made, self._lost = made, lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._answered: asyncio.Future[Response] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._slow = False

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, head: bytes, body: Content, limit: int, until: float) -> Response:
        if self._transport is None:
            raise NoConnection("connect", "the connection broke as it was made")
        self._response = response = Response(limit)
        answered: asyncio.Future[Response] = self._loop.create_future()
        self._answered = answered
        timer = self._loop.call_at(until, self._late)
        try:
            if isinstance(body, bytes):
                if len(head) + len(body) <= _JOINED:
                    self._transport.write(head + body)
                else:
                    self._transport.writelines((head, body))
            else:
                self._transport.write(head)
                whole = await self._send(body, answered)
                await answered
                response.reusable = response.reusable and whole
            return await answered
        except BaseException:
            self.abort()  # an answer that nobody waits for must not be taken for the next one's
            raise
        finally:
            timer.cancel()
            self._response = self._answered = None

    async def _send(self, pieces: AsyncIterator[bytes], answered: asyncio.Future[Response]) -> bool:
        """Piece by piece, as the server takes them; False where an early answer ended it."""
        async for piece in pieces:
            if answered.done() or self._transport is None:
                return False
            self._transport.write(piece)
            if self._slow:
                self._writable = self._loop.create_future()
                await asyncio.wait((self._writable, answered), return_when=asyncio.FIRST_COMPLETED)
        return True

    # ---- the protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # TCP and TLS transports are Transports
        self._made(self)

    def data_received(self, data: bytes) -> None:
        response, answered = self._response, self._answered
        if response is None or answered is None or answered.done():
            self.abort()  # nobody asked
            return
        try:
            if response.feed(data):
                answered.set_result(response)
        except Malformed as error:
            answered.set_exception(Unanswered("malformed-answer", f"it was sent, and what came back is no HTTP answer: {error}"))
        except TooLarge as error:
            answered.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost(self)
        self.resume_writing()
        if (response := self._response) is not None and response.status and not response.done:
            response.reusable = False
        self._end("connection-lost", "it was sent, and the connection broke before the answer", trusted=not _distrusts(exc))

    def pause_writing(self) -> None:
        self._slow = True

    def resume_writing(self) -> None:
        self._slow = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _late(self) -> None:
        self._end("timeout", "it was sent and not answered within the time-out")
        self.abort()

    def _end(self, code: str, detail: str, *, trusted: bool = True) -> None:
        """No more comes. Where the status is there and no body is wanted, what breaks afterwards changes nothing."""
        response, answered = self._response, self._answered
        if response is None or answered is None or answered.done():
            return
        if (code == "connection-lost" and response.ended()) or (response.status and not response.wanted):
            response.reusable = False
            answered.set_result(response)
        elif not trusted:
            answered.set_exception(NoConnection("tls", "no trust between us and it"))
        else:
            answered.set_exception(Unanswered(code, detail))


def _distrusts(error: Exception | None) -> bool:
    """TLS 1.3 tells after the handshake that our certificate is not taken; nothing of the request was read then."""
    return isinstance(error, ssl.SSLError) and any(word in (error.reason or "") for word in ("CERTIFICATE", "UNKNOWN_CA"))


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _fields(headers: Mapping[str, str]) -> bytes:
    """Header fields as bytes; a value that would break out of its line is our bug."""
    return b"".join(b"%b: %b\r\n" % (name.encode("ascii"), _value(value)) for name, value in headers.items())


def _value(value: str) -> bytes:
    if "\r" in value or "\n" in value or "\0" in value:
        raise ValueError("a header's value holds a line end")
    return value.encode("latin-1")
