"""The kinds of source and endpoint that a configuration may name, and where their settings and their code live.

Nothing is imported before it is asked for: a check needs the settings only, and `isthmus --help` needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from msgspec import Struct

Role = Literal["sources", "endpoints"]


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of source or endpoint."""

    module: str
    """The connector's package."""
    settings: str
    """Name of its settings struct in ``<module>.settings``."""

    def load_settings(self) -> type[Struct]:
        """The settings struct; imports no client."""
        found: type[Struct] = getattr(import_module(f"{self.module}.settings"), self.settings)
        return found

    def load(self, name: str) -> Any:
        """A factory of the connector: ``connect`` or ``listen``."""
        return getattr(import_module(self.module), name)


SOURCES: dict[str, Kind] = {
    "mllp": Kind(module="isthmus.connectors.mllp", settings="MllpSource"),
    "http": Kind(module="isthmus.connectors.http", settings="HttpSource"),
    "file": Kind(module="isthmus.connectors.file", settings="FileSource"),
    "nats": Kind(module="isthmus.connectors.nats", settings="NatsSource"),
    "amqp": Kind(module="isthmus.connectors.amqp", settings="AmqpSource"),
    "kafka": Kind(module="isthmus.connectors.kafka", settings="KafkaSource"),
}
ENDPOINTS: dict[str, Kind] = {
    "mllp": Kind(module="isthmus.connectors.mllp", settings="MllpEndpoint"),
    "http": Kind(module="isthmus.connectors.http", settings="HttpEndpoint"),
    "file": Kind(module="isthmus.connectors.file", settings="FileEndpoint"),
    "nats": Kind(module="isthmus.connectors.nats", settings="NatsEndpoint"),
    "amqp": Kind(module="isthmus.connectors.amqp", settings="AmqpEndpoint"),
    "kafka": Kind(module="isthmus.connectors.kafka", settings="KafkaEndpoint"),
    "odoo": Kind(module="isthmus.connectors.odoo", settings="OdooEndpoint"),
}
KINDS: dict[Role, dict[str, Kind]] = {"sources": SOURCES, "endpoints": ENDPOINTS}
