"""How both directions reach a cluster: the arguments that aiokafka's producer and consumer share."""

from __future__ import annotations

from typing import Any

from isthmus.connectors.kafka.settings import KafkaEndpoint, KafkaSource
from isthmus.connectors.tls import client_context


def access(settings: KafkaEndpoint | KafkaSource, where: str) -> dict[str, Any]:
    """Raises ``Rejected`` where a certificate cannot be used."""
    given: dict[str, Any] = {"bootstrap_servers": list(settings.servers), "client_id": "isthmus", "retry_backoff_ms": 50}
    if settings.tls is not None:
        given["ssl_context"] = client_context(settings.tls, where)
    if settings.user:
        given.update(sasl_mechanism=settings.mechanism, sasl_plain_username=settings.user, sasl_plain_password=settings.password)
    given["security_protocol"] = ("SASL_" if settings.user else "") + ("SSL" if settings.tls is not None else "PLAINTEXT")
    return given
