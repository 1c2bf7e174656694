"""Systems that speak HL7 v2 over MLLP: words, settings, and how to connect or listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.mllp.settings import MllpEndpoint, MllpSource
from isthmus.connectors.mllp.words import Mllp

if TYPE_CHECKING:
    from isthmus.connectors.port import Budget, Client, Source


def connect(name: str, settings: MllpEndpoint, budget: Budget) -> Client:
    """The client of one endpoint."""
    from isthmus.connectors.mllp.client import MllpClient  # noqa: PLC0415 (sites import the words; sockets load when needed)

    return MllpClient(name, settings, budget)


def listen(name: str, settings: MllpSource) -> Source:
    """The listener of one source."""
    from isthmus.connectors.mllp.source import MllpListener  # noqa: PLC0415 (as above)

    return MllpListener(name, settings)


__all__ = ["Mllp", "MllpEndpoint", "MllpSource", "connect", "listen"]
