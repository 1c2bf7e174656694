"""Where an AMQP broker is, who we are there, and which exchange and queue are ours."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from isthmus.connectors.secret import Secret
from isthmus.connectors.tls import Tls
from isthmus.core.failure import Rejected


class AmqpEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[endpoints.<name>] kind = "amqp"``: messages are published, and count as delivered once the broker has confirmed them.

    A quorum queue confirms when a majority of its nodes has written the message to disk; that is why no other kind is made or taken.
    """

    hosts: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Nodes of the broker, each ``host`` or ``host:port``; the first that answers is used."""
    user: str
    """Who we are there. There is no default: ``guest`` is everybody."""
    password: Secret
    """Belongs to ``user``."""
    vhost: str = "/"
    """Virtual host of the broker."""
    exchange: str = ""
    """To which messages are published; it must be there. Empty: the default exchange, which takes the routing key for a queue's name."""
    queue: str = ""
    """Declared when we connect, as a durable quorum queue, and bound to ``exchange``; one that is there in another form is refused.
    Empty: nothing is declared."""
    binding: str = "#"
    """Routing keys that ``exchange`` passes on to ``queue``."""
    deduplicates: bool = True
    """Whether consumers recognise a message that comes twice by its message id, as a source of ours does. Say false where they do
    not: then what may have been published is not published again by itself; a person decides."""
    tls: Tls | None = None
    """Without the table it is plain AMQP: for loopback only."""
    max_batch: Annotated[int, Meta(ge=1, le=1024)] = 64
    """Messages that are published before their confirmations are awaited."""
    in_flight: Annotated[int, Meta(ge=1)] = 2
    """Batches at once."""
    calls_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """Batches a second; 0: no limit."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds to make a connection."""

    def __post_init__(self) -> None:
        _known(self.user, self.password)

    def __repr__(self) -> str:
        return f"AmqpEndpoint(hosts={self.hosts!r}, …)"


class AmqpSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>] kind = "amqp"``: messages are taken from a quorum queue, and acknowledged once they are in the journal.

    The queue has a single active consumer, so several nodes may run this source and the order stays that of the queue.
    """

    hosts: Annotated[tuple[str, ...], Meta(min_length=1)]
    """As for an endpoint."""
    user: str
    """As for an endpoint."""
    password: Secret
    """Belongs to ``user``."""
    queue: str
    """Declared as a durable quorum queue with a single active consumer; one that is there in another form is refused."""
    vhost: str = "/"
    """Virtual host of the broker."""
    exchange: str = ""
    """Bound to the queue when it is named; it must be there."""
    binding: str = "#"
    """Routing keys that ``exchange`` passes on to ``queue``."""
    tls: Tls | None = None
    """Without the table it is plain AMQP: for loopback only."""
    window: Annotated[int, Meta(ge=1, le=65_535)] = 256
    """Messages that are here and not yet acknowledged (prefetch)."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 5.0
    """Seconds to make a connection."""

    def __post_init__(self) -> None:
        _known(self.user, self.password)

    def __repr__(self) -> str:
        return f"AmqpSource(hosts={self.hosts!r}, queue={self.queue!r}, …)"


def _known(user: str, password: str) -> None:
    if not user or not password:
        raise Rejected("authorization", "user and password are both needed: give this site a user of its own at the broker")
