"""Where an HTTP endpoint or source is, how large things may be, and how it is protected."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from isthmus.connectors.secret import Secret
from isthmus.connectors.tls import Tls
from isthmus.core.failure import Rejected

Port = Annotated[int, Meta(ge=0, le=65_535)]


class HttpEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[endpoints.<name>] kind = "http"``: a system with an HTTP interface."""

    url: str
    """Where it is: ``https://portal.example:8443/api``; the paths of deliveries are appended."""
    token: Secret = ""
    """Bearer token (RFC 6750)."""
    user: str = ""
    """For basic authentication (RFC 7617), together with ``password``."""
    password: Secret = ""
    """For basic authentication, together with ``user``."""
    tls: Tls | None = None
    """For ``https``: own authorities, our certificate (mTLS). Without the table the machine's authorities count."""
    in_flight: Annotated[int, Meta(ge=1)] = 4
    """Requests at once, each on a connection of its own that is kept alive."""
    calls_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """What the receiver allows; 0: no limit."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds to make a connection."""
    idempotent: bool = True
    """Whether the receiver honours ``Idempotency-Key`` (or its operations have one effect however often they come). Say false
    where it does not: then what may have had an effect is never sent again by itself, unless the delivery names a path to confirm
    it by; a person decides (``outcome-unknown``).
    """
    max_answer: Annotated[int, Meta(ge=1)] = 1 << 20
    """Bytes of an answer to a lookup; a larger one is refused."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")) or "@" in self.url:
            raise Rejected(
                "url", "url must begin with http:// or https:// and hold no credentials: give those as token, or user and password"
            )
        if self.token and self.user:
            raise Rejected("authorization", "token and user are both set: keep the one that the receiver asks for")
        if bool(self.user) != bool(self.password):
            raise Rejected("authorization", "user and password belong together: set both or none")

    def __repr__(self) -> str:
        return f"HttpEndpoint(url={self.url!r}, …)"


class HttpSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>] kind = "http"``: a listener that takes one message per ``POST``."""

    token: Secret
    """Senders show it as ``Authorization: Bearer …``; anything else is 401."""
    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` or ``::`` for all of this machine."""
    port: Port = 0
    """0: any free one (``HttpListener.port`` says which)."""
    reuse_port: bool = False
    """Whether other processes of our user may listen on the same port (SO_REUSEPORT): the system shares out new connections among them,
    so a new process can be started before the old one ends, and no sender is refused.
    """
    path: str = "/"
    """To which messages are posted."""
    tls: Tls | None = None
    """Without the table it is plain HTTP: for loopback, or behind a proxy that encrypts. With ``ca``, senders must show a
    certificate signed by it (mTLS).
    """
    max_bytes: Annotated[int, Meta(ge=1)] = 16 << 20
    """Largest message; a larger one is 413."""
    max_held: Annotated[int, Meta(ge=1)] = 128 << 20
    """Bytes of large messages (above 64 KiB) that all connections together hold in memory; beyond, those in the middle of one wait,
    but for the one that waits longest.
    """
    retry_after: Annotated[int, Meta(ge=1)] = 5
    """Seconds that a sender is asked to wait when the backlog is full (503)."""
    content: Literal["", "hl7", "json"] = ""
    """Only this kind of body is let in, others are 415; empty: any."""

    def __post_init__(self) -> None:
        if not self.token:
            raise Rejected("authorization", "token is empty: a listener without one takes messages from anybody")
        if not self.path.startswith("/"):
            raise Rejected("path", "path must begin with /")

    def __repr__(self) -> str:
        return f"HttpSource(host={self.host!r}, port={self.port}, path={self.path!r}, …)"
