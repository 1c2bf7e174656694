"""What it means for a delivery when a request ends without an answer. Texts of exceptions stay out: they hold addresses and bytes."""

from __future__ import annotations

import aiohttp

from isthmus.core.outcome import Retry, Unknown

_TLS = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, aiohttp.ServerFingerprintMismatch)
_CONNECT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def no_trust(error: Exception) -> bool:
    """Whether the two sides do not accept each other's certificates."""
    return isinstance(error, _TLS)


def unanswered(error: Exception, *, sent: bool, name: str) -> Retry | Unknown:
    """``sent``: whether anything of the request had left. If not, it certainly had no effect; if so, nobody knows."""
    if no_trust(error):
        return Retry("tls", f"no trust between us and {name}: compare endpoints.{name}.tls with its certificate")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Retry("name", f"the name service does not know the host of {name}")
    if isinstance(error, _CONNECT) or not sent:
        return Retry("connect", f"{name} takes no connection")
    if isinstance(error, TimeoutError):
        return Unknown("timeout", "it was sent and not answered within the time-out")
    return Unknown("connection-lost", "it was sent, and the connection broke before the answer")
