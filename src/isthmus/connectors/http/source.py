"""A listener that takes one message per POST and answers once it is durable.

| answer | when |
|---|---|
| 202 with the acknowledgement | the message is durable, now or since an earlier time (duplicate) |
| 400 | no body |
| 401 | no or another bearer token |
| 413 | larger than ``max_bytes`` |
| 415 | another kind of body than ``content`` lets in |
| 422 with the acknowledgement or problem details | invalid or refused; it is in the journal with its reason |
| 503 with Retry-After | the backlog is full, or we are stopping |
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from http import HTTPStatus

import msgspec
from aiohttp import web

from isthmus.connectors.allowance import Allowance
from isthmus.connectors.http.settings import HttpSource
from isthmus.connectors.http.upload import TooLarge, Upload
from isthmus.connectors.port import Accept, Said
from isthmus.connectors.tls import server_context
from isthmus.core.failure import Rejected

_HL7 = "x-application/hl7-v2+er7"
_UNTIL_ANSWERED = 86_400.0
"""Seconds: the receiver answers everything that was handed over, so this is no time-out but a bound."""
_HEAD = 1024
"""Bytes in which the kind of a body shows."""
_KINDS = {"hl7": (b"MSH", b"FHS", b"BHS"), "json": (b"{", b"[")}


class HttpListener:
    """One source; each request waits for its answer, none holds another."""

    def __init__(self, name: str, settings: HttpSource) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        """Reason codes of what was not let in, for telemetry."""
        self._settings = settings
        self._expected = f"Bearer {settings.token}".encode()
        self._allowance = Allowance(settings.max_held)
        self._accept: Accept | None = None
        self._paused = False
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """On which it listens, once it does."""
        return self._port

    async def start(self, accept: Accept) -> None:
        settings = self._settings
        context = server_context(settings.tls, f"sources.{self.name}") if settings.tls else None
        self._accept = accept
        app = web.Application()
        app.router.add_post(settings.path, self._post)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_UNTIL_ANSWERED)
        await runner.setup()
        site = web.TCPSite(
            runner, settings.host, settings.port, ssl_context=context, reuse_address=True, reuse_port=settings.reuse_port or None
        )
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise Rejected(
                "listen", f"sources.{self.name} cannot listen on {settings.host}:{settings.port} ({error.strerror}): choose a free port"
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    async def stop(self) -> None:
        self._paused = True
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()  # stops listening, closes idle connections, waits for the handlers: for their answers

    async def _post(self, request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, self._expected):
            self.counts["unauthorized"] += 1
            return self._problem(HTTPStatus.UNAUTHORIZED, "show the bearer token of this source", {"WWW-Authenticate": "Bearer"})
        if self._paused:
            return self._busy()
        upload = Upload(self._allowance)
        try:
            return await self._take(upload, request)
        finally:
            upload.done()

    async def _take(self, upload: Upload, request: web.Request) -> web.Response:
        try:
            body = await upload.read(request, self._settings.max_bytes)
        except TooLarge:
            self.counts["too-large"] += 1
            return self._problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a message here has at most {self._settings.max_bytes} bytes")
        if not body:
            self.counts["empty"] += 1
            return self._problem(HTTPStatus.BAD_REQUEST, "the body is the message; it is empty")
        kinds = _KINDS.get(self._settings.content)
        if kinds is not None and not body[:_HEAD].lstrip().startswith(kinds):
            self.counts["content"] += 1
            return self._problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"this source takes {self._settings.content} only")
        return await self._hand_over(body, request.remote or "")

    async def _hand_over(self, body: bytes, peer: str) -> web.Response:
        if self._accept is None:
            return self._busy()
        answered: asyncio.Future[tuple[bytes | None, Said]] = asyncio.get_running_loop().create_future()

        def reply(answer: bytes | None, said: Said) -> None:
            if not answered.done():
                answered.set_result((answer, said))

        self._accept(self.name, body, peer, reply)
        answer, said = await answered
        if said == "taken":
            return self._answer(HTTPStatus.ACCEPTED, answer)
        if said == "busy":
            return self._busy(answer)
        self.counts["refused"] += 1
        return self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, answer, "the message was refused; the acknowledgement says why")

    def _busy(self, answer: bytes | None = None) -> web.Response:
        self.counts["busy"] += 1
        detail = "the backlog is full; send it again later"
        return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, answer, detail, {"Retry-After": str(self._settings.retry_after)})

    def _answer(self, status: HTTPStatus, answer: bytes | None, detail: str = "", headers: dict[str, str] | None = None) -> web.Response:
        """The acknowledgement as it is, but for a refusal in JSON, which becomes a member of problem details."""
        taken = status == HTTPStatus.ACCEPTED
        if answer is not None and _is_json(answer) and not taken:
            return self._problem(status, detail, headers, acknowledgement=msgspec.Raw(answer))
        if answer is not None:
            kind = _HL7 if _is_hl7(answer) else "application/json" if _is_json(answer) else "application/octet-stream"
            return web.Response(status=status, body=answer, content_type=kind, headers=headers)
        return web.Response(status=status) if taken else self._problem(status, detail, headers)

    def _problem(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None, **members: msgspec.Raw) -> web.Response:
        """Problem details (RFC 9457)."""
        body = msgspec.json.encode({"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail, **members})
        return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


def _is_hl7(answer: bytes) -> bool:
    return answer.startswith(b"MSH")


def _is_json(answer: bytes) -> bool:
    return answer.lstrip().startswith(b"{")
