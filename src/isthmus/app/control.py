"""The way into a running engine: a socket in the data folder, for the acts of people on an embedded journal.

The embedded journal has one writer, the running engine; so ``isthmus redeliver`` and its siblings ask it to act. The socket belongs
to the user who runs the engine (mode 0600), and the kernel vouches for who calls. With no engine running the same acts are done on
the journal itself. One request and one reply a connection: four bytes of length, then MessagePack.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from isthmus.core import Bug, Failure, Rejected, Transient
from isthmus.journals.port import Planned, Translated

_LONGEST = 256 << 20
_PATH_LIMIT = 100
"""Bytes of a socket's path that every system takes (Linux 107, others 103)."""
_PATIENCE = 60.0


class Redeliver(Struct, frozen=True, tag=True):
    """Same bytes, same id, once more."""

    ids: tuple[str, ...]
    by: str
    why: str


class Abandon(Struct, frozen=True, tag=True):
    """Give dead deliveries up for good."""

    ids: tuple[str, ...]
    by: str
    why: str


class Resume(Struct, frozen=True, tag=True):
    """Let a stopped subscription go on."""

    subscription: str


class Reprocess(Struct, frozen=True, tag=True):
    """Keep what a preview showed, if the journal has not moved on since."""

    message_id: str
    digest: str
    result: Translated
    planned: dict[str, tuple[Planned, ...]]
    by: str
    why: str


Request = Redeliver | Abandon | Resume | Reprocess


class Done(Struct, frozen=True, tag=True):
    """Ids of the deliveries that the act concerned."""

    ids: tuple[str, ...] = ()


class Refused(Struct, frozen=True, tag=True):
    """A failure, to be raised again on the other side."""

    fault: str
    code: str
    detail: str


Act = Callable[[Request], Awaitable[Sequence[str]]]

_REQUEST = msgspec.msgpack.Decoder(Request)
_REPLY: msgspec.msgpack.Decoder[Done | Refused] = msgspec.msgpack.Decoder(Done | Refused)
_FAULTS: dict[str, type[Failure]] = {"Transient": Transient, "Rejected": Rejected, "Bug": Bug}


def socket_path(data: Path) -> Path:
    """Where the socket is: in the data folder, or, where that path is too long for a socket, in a private folder beside ``/tmp``."""
    path = data / "var" / "control.sock"
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        return path
    name = hashlib.blake2b(os.fsencode(data), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"isthmus-{os.getuid()}" / f"{name}.sock"


class ControlServer:
    """Runs inside the engine's process; ``act`` does what is asked."""

    def __init__(self, path: Path, act: Act) -> None:
        self._path = path
        self._act = act
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket that a dead process left behind is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.parent.stat().st_uid != os.getuid():
            raise Rejected("control-socket", f"{self._path.parent} belongs to somebody else: run as its owner, or name another data folder")
        if self._path.exists() and await running(self._path):
            raise Rejected("already-running", f"an engine is running on this data folder ({self._path}): stop it first")
        self._path.unlink(missing_ok=True)
        old = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path=self._path)
        finally:
            os.umask(old)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                if _caller(writer) in (os.getuid(), 0, None):
                    reply = await self._reply(await _read(reader))
                    writer.write(_framed(reply))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the caller is gone, and sees by the missing reply that it does not know the outcome
        finally:
            await _close(writer)

    async def _reply(self, body: bytes) -> Done | Refused:
        try:
            return Done(tuple(await self._act(_REQUEST.decode(body))))
        except Failure as failure:
            return Refused(type(failure).__name__, failure.code, failure.detail)
        except msgspec.MsgspecError:
            return Refused("Rejected", "control-request", "the running engine is of another version: use the same one for both")


async def ask(path: Path, request: Request) -> Sequence[str] | None:
    """What the running engine did; None when no engine runs. Raises its failures, and ``Transient`` where it did not answer."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    try:
        async with asyncio.timeout(_PATIENCE):
            writer.write(_framed(request))
            await writer.drain()
            reply: Done | Refused = _REPLY.decode(await _read(reader))
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise Transient("no-reply", "the running engine did not answer: look with `isthmus show` whether it has acted") from error
    finally:
        await _close(writer)
    if isinstance(reply, Refused):
        raise _FAULTS.get(reply.fault, Rejected)(reply.code, reply.detail)
    return reply.ids


async def running(path: Path) -> bool:
    """Whether an engine listens there."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    await _close(writer)
    return True


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _caller(writer: asyncio.StreamWriter) -> int | None:
    """The user at the other end, as the kernel knows it; None where the system does not tell (then the file's mode decides)."""
    peer = writer.get_extra_info("socket")
    if peer is None or not hasattr(socket, "SO_PEERCRED"):
        return None
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def _framed(value: object) -> bytes:
    body = msgspec.msgpack.encode(value)
    return len(body).to_bytes(4, "big") + body


async def _read(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > _LONGEST:
        raise asyncio.IncompleteReadError(b"", length)
    return await reader.readexactly(length)
