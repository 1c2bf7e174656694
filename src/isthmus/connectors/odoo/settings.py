"""Settings of an Odoo endpoint, as they stand in ``isthmus.toml``."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

_HOSTED = (1.0, 1)
"""``*.odoo.com`` shares its servers between customers: one call a second, one in flight."""
_OWN = (20.0, 4)


class OdooEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Odoo database, 14 to 19."""

    url: str
    """``https://erp.hospital.example``; without a path."""
    database: str
    key: str
    """API key of the service user (in Odoo: Preferences, Security). A secret: give {env = "…"} or {file = "…"}."""
    company: int = 1
    """Database id of the company on whose behalf everything is written; it is named in every call."""
    user: str = ""
    """Login of the service user; needed for XML-RPC (Odoo 14 to 18) only."""
    protocol: Literal["auto", "json-2", "xml-rpc"] = "auto"
    """``auto`` asks the server for its version: JSON-2 from Odoo 19, XML-RPC before."""
    calls_per_second: float = 0.0
    """0: 1 for ``*.odoo.com``, 20 elsewhere."""
    in_flight: int = 0
    """Calls at once; 0: 1 for ``*.odoo.com``, 4 elsewhere."""
    batch: int = 100
    """Deliveries in one call at most; a smaller number is found by itself where Odoo is slow."""
    timeout: float = 120.0
    """Longest wait for one call in seconds, whatever the policy would grant. Odoo goes on working after it."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise msgspec.ValidationError("url: write it as https://host or http://host:port, without a path")
        if parts.username or parts.password:
            raise msgspec.ValidationError("url: holds a secret; give the API key under 'key' instead")
        if self.protocol == "xml-rpc" and not self.user:
            raise msgspec.ValidationError("user: XML-RPC needs the login of the service user")
        if self.batch < 1 or self.timeout <= 0 or self.calls_per_second < 0 or self.in_flight < 0:
            raise msgspec.ValidationError("batch and timeout must be above 0, calls_per_second and in_flight not below 0")
        host = parts.hostname.lower()
        pace = _HOSTED if host == "odoo.com" or host.endswith(".odoo.com") else _OWN
        force_setattr(self, "url", self.url.rstrip("/"))
        force_setattr(self, "calls_per_second", self.calls_per_second or pace[0])
        force_setattr(self, "in_flight", self.in_flight or pace[1])
