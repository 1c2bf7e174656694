"""Link: one connection to a server of the cluster; questions and answers over it; what goes wrong is told apart.

A link never connects again by itself: once it is lost, all that was under way on it is told so, and its owner makes another. So it is
always known whether something was sent, and nothing is sent again behind anybody's back.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from nats.aio.client import Client as Connection
from nats.aio.msg import Msg
from nats.errors import AuthorizationError
from nats.errors import Error as NatsError

from isthmus.connectors.nats import credentials
from isthmus.connectors.nats.settings import Settings
from isthmus.connectors.tls import client_context
from isthmus.core.failure import Rejected, Transient

PORT = 4222
ALIVE = 10
"""Seconds between two signs of life; a connection that misses two is dead."""
LOOK = 10
"""Turns of the event loop in which an end of the connection that has arrived is seen."""
CLOSING = 1.0
"""Seconds in which a connection is ended politely."""
LARGEST = 64 << 20
"""Bytes that may wait on a link until they are handled."""

_NO_RESPONDERS = "503"
_DENIED = "permissions violation for publish to"


class NoResponders(Exception):
    """No stream and no service listens on the subject: nothing took it."""


class Denied(Exception):
    """The server does not let us publish to the subject: nothing took it."""


class Lost(Exception):
    """The connection ended before the answer."""


class Link:
    """Built by :func:`connect`."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.lost = asyncio.Event()
        self._inbox = ""
        self._numbers = itertools.count()
        self._asked: dict[str, tuple[str, asyncio.Future[Msg]]] = {}

    @property
    def alive(self) -> bool:
        return self.connection.is_connected and not self.lost.is_set()

    @property
    def max_payload(self) -> int:
        return self.connection.max_payload

    async def ask(self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> asyncio.Future[Msg]:
        """Send it; the answer comes as the future's result, or ``NoResponders``, ``Denied`` or ``Lost`` as its exception.

        Raises ``Lost`` where it could not even be sent.
        """
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        reply = f"{self._inbox}.{next(self._numbers)}"
        self._asked[reply] = (subject, answer)
        answer.add_done_callback(lambda _: self._asked.pop(reply, None))
        try:
            await self.connection.publish(subject, body, reply, dict(headers) if headers else None)
        except (NatsError, OSError) as error:
            answer.cancel()
            raise Lost from error
        return answer

    async def tell(self, subject: str, body: bytes, reply: str = "") -> None:
        """Send it, and expect no answer here. Raises ``Lost``."""
        try:
            await self.connection.publish(subject, body, reply)
        except (NatsError, OSError) as error:
            raise Lost from error

    async def hear(self, heard: Callable[[Msg], Awaitable[None]]) -> str:
        """Have all that comes to a new inbox handled, in its order; returns the inbox. Anything below it (``<inbox>.x``) comes too."""
        inbox = self.connection.new_inbox()
        for subject in (inbox, f"{inbox}.*"):
            await self.connection.subscribe(subject, cb=heard, pending_msgs_limit=-1, pending_bytes_limit=LARGEST)
        return inbox

    async def settle(self) -> None:
        """Let what the server has said by now be heard, such as its good-bye."""
        for _ in range(LOOK):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self._end()
        with suppress(TimeoutError):  # an end that the other side does not confirm, as after a handshake that failed
            async with asyncio.timeout(CLOSING):
                await self.connection.close()

    # ---- inside

    async def begin(self) -> None:
        self._inbox = self.connection.new_inbox()
        await self.connection.subscribe(f"{self._inbox}.*", cb=self._answered)

    async def _answered(self, answer: Msg) -> None:
        _, waiting = self._asked.get(answer.subject, ("", None))
        if waiting is None or waiting.done():
            return
        if answer.headers and answer.headers.get("Status") == _NO_RESPONDERS and not answer.data:
            waiting.set_exception(NoResponders())
        else:
            waiting.set_result(answer)

    async def closed(self) -> None:
        self._end()

    async def complained(self, error: Exception) -> None:
        """The server's only word about a subject that we may not use; it is no answer to any one question."""
        text = str(error).lower()
        if _DENIED in text:
            for subject, waiting in list(self._asked.values()):
                if f'"{subject.lower()}"' in text and not waiting.done():
                    waiting.set_exception(Denied())

    def _end(self) -> None:
        self.lost.set()
        for _, waiting in list(self._asked.values()):
            if not waiting.done():
                waiting.set_exception(Lost())
                waiting.exception()  # whoever has stopped waiting for it shall not be told that it was never looked at


async def connect(settings: Settings, where: str, name: str, timeout: float) -> Link:
    """Connect to the first server that answers; raises ``Transient`` when none does and ``Rejected`` when we are not let in."""
    tls = client_context(settings.tls, where) if settings.tls is not None else None
    known = credentials.read(settings.credentials, where) if settings.credentials is not None else None
    last = "no answer"
    for server in settings.servers:
        link = Link()
        try:
            async with asyncio.timeout(timeout):
                await _open(link, server, settings, name, known, tls, timeout)
        except (NatsError, OSError, TimeoutError) as error:
            await link.close()
            if isinstance(error, AuthorizationError) or "authorization violation" in str(error).lower():
                raise Rejected(
                    "login", f"{where}: {server} does not let us in: check user and password, or credentials, at the server"
                ) from None
            last = type(error).__name__
        except BaseException:
            await link.close()
            raise
        else:
            return link
    raise Transient("connect", f"{where}: none of {len(settings.servers)} servers takes a connection ({last})")


async def _open(  # noqa: PLR0917 - private, and each is what connect has
    link: Link,
    server: str,
    settings: Settings,
    name: str,
    known: credentials.Credentials | None,
    tls: ssl.SSLContext | None,
    timeout: float,
) -> None:
    host, _, port = server.rpartition(":") if ":" in server else (server, "", "")
    connection = link.connection
    if known is not None and not known.jwt:
        connection._public_nkey = known.public  # noqa: SLF001 - the library sets it only by a package of its own, which we do not need
    await connection.connect(
        f"{'tls' if tls else 'nats'}://{host}:{port or PORT}",
        name=name,
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0,
        connect_timeout=max(1, math.ceil(timeout)),
        ping_interval=ALIVE,
        max_outstanding_pings=2,
        user=settings.user or None,
        password=settings.password or None,
        signature_cb=known.sign if known else None,
        user_jwt_cb=(lambda: bytearray(known.jwt.encode())) if known and known.jwt else None,
        tls=tls,
        tls_hostname=(settings.tls.server_name or None) if settings.tls else None,
        closed_cb=link.closed,
        error_cb=link.complained,
    )
    if not connection.is_connected:
        raise NatsError("the server ended the connection at once")
    await link.begin()
