"""Where a Kafka cluster is, who we are there, and how durable its topics have to be."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from isthmus.connectors.secret import Secret
from isthmus.connectors.tls import Tls
from isthmus.core.failure import Rejected

Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


class KafkaEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[endpoints.<name>] kind = "kafka"``: records are produced with ``acks=all`` by an idempotent producer, and count as delivered
    once all in-sync replicas have them.

    Kafka does not sync its log to disk before it confirms: it is replicas that make a record durable. So a topic with fewer than
    ``replicas`` of them is refused, unless a reason says why it may be so.
    """

    servers: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Brokers to begin with, each ``host:port``."""
    topics: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Topics that deliveries may name; each must be there and have its replicas."""
    user: str = ""
    """For SASL, together with ``password``; without it the cluster must know us by our certificate (``tls``), or be on loopback."""
    password: Secret = ""
    """Belongs to ``user``."""
    mechanism: Mechanism = "SCRAM-SHA-512"
    """How ``user`` and ``password`` are shown; PLAIN only over TLS."""
    tls: Tls | None = None
    """Without the table it is plain TCP: for loopback only."""
    replicas: Annotated[int, Meta(ge=1)] = 3
    """Replicas that each topic must have."""
    unreplicated_reason: str = ""
    """Why fewer will do, in words for whoever audits; empty: they will not."""
    deduplicates: bool = True
    """Whether consumers recognise a record that comes twice by its ``id`` header, as a source of ours does. Say false where they do
    not: then what may have been produced is not produced again by itself; a person decides."""
    max_batch: Annotated[int, Meta(ge=1, le=1024)] = 128
    """Records of one ``send``."""
    in_flight: Annotated[int, Meta(ge=1)] = 2
    """Batches at once."""
    calls_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """Batches a second; 0: no limit."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 10.0
    """Seconds to reach the cluster."""

    def __post_init__(self) -> None:
        _known(self.user, self.password, self.mechanism, self.tls)

    def __repr__(self) -> str:
        return f"KafkaEndpoint(servers={self.servers!r}, topics={self.topics!r}, …)"


class KafkaSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>] kind = "kafka"``: records are taken in the order of their partitions; offsets are committed for what the
    journal holds. Nodes that run the same source share the partitions by their group.
    """

    servers: Annotated[tuple[str, ...], Meta(min_length=1)]
    """As for an endpoint."""
    topics: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Topics to consume."""
    group: str
    """Consumer group; one for each site that wants all records."""
    user: str = ""
    """As for an endpoint."""
    password: Secret = ""
    """Belongs to ``user``."""
    mechanism: Mechanism = "SCRAM-SHA-512"
    """As for an endpoint."""
    tls: Tls | None = None
    """As for an endpoint."""
    start: Literal["beginning", "now"] = "beginning"
    """Where a group begins that has committed nothing yet."""
    window: Annotated[int, Meta(ge=1)] = 512
    """Records that are here and not yet durable."""
    connect_timeout: Annotated[float, Meta(gt=0)] = 10.0
    """Seconds to reach the cluster."""

    def __post_init__(self) -> None:
        _known(self.user, self.password, self.mechanism, self.tls)
        if not self.group:
            raise Rejected("group", "group is empty: without one the place in the topic cannot be kept")

    def __repr__(self) -> str:
        return f"KafkaSource(servers={self.servers!r}, topics={self.topics!r}, group={self.group!r}, …)"


def _known(user: str, password: str, mechanism: Mechanism, tls: Tls | None) -> None:
    if bool(user) != bool(password):
        raise Rejected("authorization", "user and password belong together: set both or none")
    if user and mechanism == "PLAIN" and tls is None:
        raise Rejected("authorization", "mechanism PLAIN shows the password to everybody on the wire: add a tls table, or use SCRAM")
