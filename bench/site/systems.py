"""The one system that this site sends to, and how this site's messages are classified."""

from __future__ import annotations

from isthmus.connectors.http.words import Http
from isthmus.core import Classification

portal = Http("portal", system="clinical portal", owner="clinical-it")
"""A real HTTP endpoint on a real socket: the benchmark's sink."""

CARE = Classification(
    criticality="care",
    latency="seconds",
    volume="1000k/day",
    failure="delays care",
    recovery="replay",
    ordered_by="patient",
)
