"""Keep-alive: the operating system probes a silent peer, so that a half-open connection is found while nothing is sent."""

from __future__ import annotations

import os
import socket
from asyncio import BaseTransport

_BETWEEN = 10
"""Seconds between two probes that are not answered."""
_PROBES = 3


def keep_alive(transport: BaseTransport, idle: int) -> None:
    """Probe after ``idle`` seconds of silence. Where the system has no such options, its own times hold."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as twin:  # uvloop's own lets nobody set options; they belong to the connection, not to it
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", idle), ("TCP_KEEPINTVL", _BETWEEN), ("TCP_KEEPCNT", _PROBES)):
            if hasattr(socket, option):
                twin.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
