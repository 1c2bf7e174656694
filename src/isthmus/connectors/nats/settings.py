"""Where a NATS cluster is, who we are there, which stream is ours, and what is demanded of it before anything is trusted to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from isthmus.connectors.secret import Secret
from isthmus.connectors.tls import Tls
from isthmus.core.failure import Rejected

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class NatsEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[endpoints.<name>] kind = "nats"``: messages are published to a JetStream stream, and count as delivered once the stream has
    acknowledged them: written and synced by a majority of its replicas.

    Before the first message, the stream is compared with what stands here, and every server that keeps it is asked whether it syncs
    each write (``sync_interval: always``). With the server's default, two minutes, a power cut takes acknowledged messages away.
    """

    servers: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Each ``host`` or ``host:port``; the first that answers is used."""
    stream: Name
    """The stream; made as it stands here when it is not there (``create``), otherwise compared."""
    subjects: Annotated[tuple[str, ...], Meta(min_length=1)]
    """What the stream takes, such as ``cells.north.>``."""
    monitors: tuple[str, ...] = ()
    """Address of the monitoring of each server that keeps the stream, such as ``http://10.0.0.1:8222``. Those that answer must sync
    always, and be a majority of the stream's replicas; an operator closes these ports to all but us."""
    unsynced_reason: str = ""
    """Instead of ``monitors``: why acknowledged messages may be lost in a power cut, in words that an auditor accepts."""
    user: str = ""
    """Who we are there, with ``password``; or see ``credentials``."""
    password: Secret = ""
    """Belongs to ``user``."""
    credentials: Path | None = None
    """A ``.creds`` file (JWT and seed), or a file with an nkey's seed alone, in place of user and password."""
    domain: str = ""
    """JetStream domain in which the stream is kept: that of a leaf node, where several are reached through one server."""
    create: bool = True
    """Make the stream where it is missing."""
    replicas: Annotated[int, Meta(ge=1, le=5)] = 3
    """Servers that keep the stream. One is for a leaf node or a test: what it keeps dies with its disk."""
    max_bytes: Annotated[int, Meta(ge=1 << 20)] = 4 << 30
    """Room for the stream on each server. When it is full, new messages are refused and wait here; old ones are never thrown away."""
    max_age: Annotated[float, Meta(ge=0)] = 2_592_000.0
    """Seconds after which the stream removes messages, read or not; longer than any cell is ever away. 0: never."""
    duplicate_window: Annotated[float, Meta(ge=1)] = 120.0
    """Seconds for which the stream recognises a message that was published before."""
    deduplicates: bool = True
    """Whether consumers recognise a message that comes twice by its id, as a source of ours does. Asked only where the stream no longer
    holds what it would take to tell whether a message is in it. Say false where they do not: then a person decides."""
    tls: Tls | None = None
    """Without the table it is plain NATS: for loopback only."""
    max_batch: Annotated[int, Meta(ge=1, le=1024)] = 128
    """Messages that are published before their acknowledgements are awaited."""
    in_flight: Annotated[int, Meta(ge=1)] = 2
    """Batches at once."""
    calls_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """Batches a second; 0: no limit."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds to make a connection and to ask one question about the stream."""

    def __post_init__(self) -> None:
        _known(self)
        if bool(self.monitors) == bool(self.unsynced_reason.strip()):
            raise Rejected(
                "sync",
                "give monitors, so that each server can be asked whether it syncs always; or unsynced_reason: why losing acknowledged "
                "messages in a power cut is acceptable; not both",
            )
        if self.max_age and self.max_age < self.duplicate_window:
            raise Rejected("max-age", "max_age is shorter than duplicate_window: keep messages for longer than their ids")

    def __repr__(self) -> str:
        return f"NatsEndpoint(servers={self.servers!r}, stream={self.stream!r}, …)"


class NatsSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>] kind = "nats"``: messages are taken from a stream in its order, and acknowledged once they are in the journal."""

    servers: Annotated[tuple[str, ...], Meta(min_length=1)]
    """As for an endpoint."""
    stream: Name
    """It must be there: whoever publishes makes it."""
    consumer: Name
    """Our name at the stream: under it the stream remembers how far we are. No other cell may use it."""
    subjects: tuple[str, ...] = ()
    """Which of the stream's subjects we take; empty: all."""
    user: str = ""
    """As for an endpoint."""
    password: Secret = ""
    """Belongs to ``user``."""
    credentials: Path | None = None
    """As for an endpoint."""
    domain: str = ""
    """As for an endpoint."""
    tls: Tls | None = None
    """Without the table it is plain NATS: for loopback only."""
    window: Annotated[int, Meta(ge=1, le=10_000)] = 512
    """Messages that are here and not yet acknowledged; the rest stays in the stream."""
    ack_wait: Annotated[float, Meta(ge=1)] = 30.0
    """Seconds after which the stream sends again what it believes lost on the way; what is merely waiting here is told to it."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds to make a connection and to ask one question about the stream."""

    def __post_init__(self) -> None:
        _known(self)

    def __repr__(self) -> str:
        return f"NatsSource(servers={self.servers!r}, stream={self.stream!r}, consumer={self.consumer!r}, …)"


Settings = NatsEndpoint | NatsSource


def _known(settings: Settings) -> None:
    by_password = bool(settings.user and settings.password)
    by_certificate = settings.tls is not None and settings.tls.certificate is not None
    if by_password + (settings.credentials is not None) + (by_certificate and not settings.user) < 1:
        raise Rejected(
            "authorization", "say who we are: user and password, credentials, or a certificate under tls; give this site a user of its own"
        )
