"""Systems that speak HTTP: words, settings, and how to connect or listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.http.settings import HttpEndpoint, HttpSource
from isthmus.connectors.http.words import Http

if TYPE_CHECKING:
    from isthmus.connectors.port import Budget, Client, Source


def connect(name: str, settings: HttpEndpoint, budget: Budget) -> Client:
    """The client of one endpoint."""
    from isthmus.connectors.http.client import HttpClient  # noqa: PLC0415 (sites import the words; sockets load when needed)

    return HttpClient(name, settings, budget)


def listen(name: str, settings: HttpSource) -> Source:
    """The listener of one source."""
    from isthmus.connectors.http.source import HttpListener  # noqa: PLC0415 (as above)

    return HttpListener(name, settings)


__all__ = ["Http", "HttpEndpoint", "HttpSource", "connect", "listen"]
