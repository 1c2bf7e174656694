"""Message: what a system said, byte for byte."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Message(Struct, frozen=True, kw_only=True):
    """One message as it arrived; ``body`` holds the original bytes and is never changed.

    ``id`` derives from interface, sender, control id and content, so the same message sent twice has the same id, and two
    different messages under one control id have two.
    """

    id: str
    interface: str
    """Name of the interface that received it; empty when no interface takes its kind (it is kept all the same)."""
    source: str
    """Name of the source (listener, folder) through which it came."""
    body: bytes
    received_at: datetime
    """Aware, UTC."""
    correlation_id: str
    kind: str = ""
    """What the format calls its type: ``ADT^A03``, ``supply-use``."""
    sender: str = ""
    """The sending application and facility, as the format names them: ``LIS|HOSP``."""
    control_id: str = ""
