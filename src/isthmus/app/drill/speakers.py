"""Speakers: one sender's connection to a source of a site, whatever it speaks: MLLP, HTTP, or files in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Protocol

import aiohttp

_START, _END = b"\x0b", b"\x1c\r"
_PATIENCE = 20.0
"""Seconds that a sender waits for one answer."""
_MSA = re.compile(rb"\rMSA\|(\w\w)\|([^|\r]*)")
_ANSWERS = {b"AA": "taken", b"CA": "taken", b"AE": "invalid", b"CE": "invalid", b"AR": "refused", b"CR": "refused"}
_HASTE = 0.05
"""Seconds between two looks of whoever left a file."""


class Broken(Exception):
    """No answer: nobody there, the connection broke, or patience ended."""


class Speaker(Protocol):
    async def ask(self, body: bytes, control_id: str) -> str:
        """Say it and hear the answer: ``taken``, ``invalid``, ``refused``, ``busy``, or ``mistaken`` where it names another
        message. Raises :class:`Broken`.
        """
        ...

    async def break_off(self, body: bytes, rng: Random) -> None:
        """A part of it, then hang up. Raises :class:`Broken`."""
        ...

    async def say_and_leave(self, body: bytes) -> None:
        """All of it, and hang up before the answer. Raises :class:`Broken`."""
        ...

    async def hang_up(self) -> None: ...


class MllpSpeaker:
    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes, control_id: str) -> str:
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await self._connected()
                writer.write(_START + body + _END)
                answer = await reader.readuntil(_END)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            await self.hang_up()
            raise Broken from error
        found = _MSA.search(answer)
        if found is None:
            return "refused"
        if found[1] in (b"AR", b"CR") and b"|207^" in answer:  # HL7 table 0357: application internal error, which asks to come again
            return "busy"
        return _ANSWERS.get(found[1], "refused") if found[2].decode("ascii", "replace") == control_id else "mistaken"

    async def break_off(self, body: bytes, rng: Random) -> None:
        await self._send(_START + body[: rng.randrange(1, len(body))])

    async def say_and_leave(self, body: bytes) -> None:
        await self._send(_START + body + _END)

    async def hang_up(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()

    async def _send(self, data: bytes) -> None:
        try:
            _, writer = await self._connected()
            writer.write(data)
            await writer.drain()
        except OSError as error:
            raise Broken from error
        finally:
            await self.hang_up()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        return self._streams


class HttpSpeaker:
    def __init__(self, port: int, path: str, token: str) -> None:
        self._address = ("127.0.0.1", port)
        self._path, self._token = path, token
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, body: bytes, control_id: str) -> str:
        del control_id  # the answer comes on the request's own connection
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE))
        host, port = self._address
        try:
            async with self._session.post(f"http://{host}:{port}{self._path}", data=body, headers=self._headers(body)) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Broken from error
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return "busy"
        return "taken" if response.ok else "invalid" if response.status == HTTPStatus.UNPROCESSABLE_ENTITY else "refused"

    async def break_off(self, body: bytes, rng: Random) -> None:
        await self._raw(self._request(body)[: -rng.randrange(1, len(body))])

    async def say_and_leave(self, body: bytes) -> None:
        await self._raw(self._request(body))

    async def hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _raw(self, data: bytes) -> None:
        try:
            _, writer = await asyncio.open_connection(*self._address)
            writer.write(data)
            await writer.drain()
            writer.close()
        except OSError as error:
            raise Broken from error

    def _headers(self, body: bytes) -> dict[str, str]:
        kind = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "x-application/hl7-v2+er7"
        return {"Authorization": f"Bearer {self._token}", "Content-Type": kind}

    def _request(self, body: bytes) -> bytes:
        lines = [f"POST {self._path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self._headers(body).items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


class FileSpeaker:
    """Leaves a file and waits until it has been moved to ``done`` (taken) or ``refused``."""

    def __init__(self, folder: Path, name: str, suffix: str) -> None:
        self._folder = folder
        self._name, self._suffix = name, suffix
        self._left = 0

    async def ask(self, body: bytes, control_id: str) -> str:
        del control_id
        name = self._leave(body)
        while True:
            for answer, place in (("taken", "done"), ("refused", "refused"), ("refused", "rejected")):
                if list((self._folder / place).glob(f"*{name}*")):
                    return answer
            await asyncio.sleep(_HASTE)

    async def break_off(self, body: bytes, rng: Random) -> None:
        """A sender that dies in the middle of a file leaves a temporary name behind."""
        (self._folder / f".{self._name}-{self._left}.tmp").write_bytes(body[: rng.randrange(1, len(body))])

    async def say_and_leave(self, body: bytes) -> None:
        self._leave(body)

    async def hang_up(self) -> None: ...

    def _leave(self, body: bytes) -> str:
        self._left += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{self._name}-{self._left:06d}{self._suffix}"
        hidden = self._folder / f".{name}.tmp"
        hidden.write_bytes(body)
        os.replace(hidden, self._folder / name)  # noqa: PTH105 - the rename is the point: never half a file
        return name
