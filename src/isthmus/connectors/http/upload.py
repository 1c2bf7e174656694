"""Upload: the body of one request, gathered once, and read only while the source's allowance lasts."""

from __future__ import annotations

import asyncio
import io

from aiohttp import web

from isthmus.connectors.allowance import SMALL, Allowance


class TooLarge(Exception):
    """The body has more bytes than a message may have."""


class Upload:
    """Holds its place in the allowance until ``done`` is called."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._changed = asyncio.Event()
        self._kept = 0

    def regulate(self) -> None:
        self._changed.set()

    async def read(self, request: web.Request, limit: int) -> bytes:
        """All of it, without a second copy. Raises ``TooLarge``, at once where the header says so."""
        if (request.content_length or 0) > limit:
            raise TooLarge
        gathered, size = io.BytesIO(), 0
        try:
            while chunk := await self._next(request):
                size += len(chunk)
                if size > limit:
                    raise TooLarge
                gathered.write(chunk)
                self._allowance.pending(self, size)
        finally:
            self._allowance.pending(self, 0)
        if size > SMALL:
            self._kept = size
            self._allowance.keep(size)
        return gathered.getvalue()

    def done(self) -> None:
        """The message was answered."""
        if self._kept:
            self._allowance.release(self._kept)

    async def _next(self, request: web.Request) -> bytes:
        while not self._allowance.permits(self):
            self._changed.clear()
            await self._changed.wait()
        return await request.content.readany()
