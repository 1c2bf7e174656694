"""Where an MLLP endpoint or source is, how many connections it has, and how they are protected."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from isthmus.connectors.tls import Tls

Port = Annotated[int, Meta(ge=0, le=65_535)]


class MllpEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[endpoints.<name>] kind = "mllp"``: a system that takes HL7 v2 messages and acknowledges them."""

    host: str
    """Its name or address."""
    port: Port
    tls: Tls | None = None
    """Without the table the connection is plain."""
    connections: Annotated[int, Meta(ge=1)] = 1
    """Connections that are kept open; each carries one message at a time, until it is answered."""
    calls_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """What the receiver allows; 0: no limit."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds to make a connection, the TLS handshake included."""
    keepalive: Annotated[int, Meta(ge=1)] = 30
    """Seconds of silence after which the operating system probes whether the other side is still there."""
    application_wait: Annotated[float, Meta(ge=0)] = 2.0
    """Enhanced mode: seconds that a connection waits, after CA, for the application acknowledgement (MSH-16 = AL). What comes
    later, here or through a source, is a late receipt.
    """
    deduplicates: bool = True
    """Whether the receiver takes a message with a control id that it knows as the same message. Say false where it does not:
    then a message that may have arrived is never sent again by itself; a person decides (``outcome-unknown``).
    """
    max_answer: Annotated[int, Meta(ge=1)] = 1 << 20
    """Bytes of an acknowledgement; a larger one is garbage."""

    @property
    def in_flight(self) -> int:
        """Messages at once: one per connection."""
        return self.connections


class MllpSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>] kind = "mllp"``: a listener to which any number of senders connect."""

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` or ``::`` for all of this machine."""
    port: Port = 0
    """0: any free one (``MllpListener.port`` says which)."""
    reuse_port: bool = False
    """Whether other processes of our user may listen on the same port (SO_REUSEPORT): the system shares out new connections among them,
    so a new process can be started before the old one ends, and no sender is refused.
    """
    tls: Tls | None = None
    """Without the table connections are plain. With ``ca``, only senders that show a certificate signed by it are let in (mTLS)."""
    max_bytes: Annotated[int, Meta(ge=1)] = 16 << 20
    """Largest message; a larger one is answered AR, and its connection closed."""
    max_held: Annotated[int, Meta(ge=1)] = 128 << 20
    """Bytes of large messages (above 64 KiB) that all connections together hold in memory; beyond, those in the middle of one wait,
    but for the one that waits longest.
    """
    max_connections: Annotated[int, Meta(ge=1)] = 1_000
    """Senders at once; one more is turned away."""
    max_unanswered: Annotated[int, Meta(ge=1)] = 1_000
    """Messages of one connection that wait for their answer; then it is not read until some are answered."""
    idle_timeout: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds of silence after which a connection is closed; 0: never."""
    keepalive: Annotated[int, Meta(ge=1)] = 60
    """Seconds of silence after which the operating system probes whether a sender is still there."""
    backlog: Annotated[int, Meta(ge=1)] = 256
    """Connections that the operating system holds until we accept them."""
