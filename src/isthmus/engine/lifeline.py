"""Lifeline: takes over, at a start, what the process before was sending, on a journal that one process has to itself.

Whoever else had claims is gone, or this process could not have opened the journal. What the dead was sending has an unknown outcome: it
is checked before it is sent. Where several nodes share a journal, ``Membership`` does this, and all the time.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import ClaimsReleased, Notify
from isthmus.journals.port import Outbox


class Lifeline:
    """``look`` once before anything is claimed. ``released`` is called when there is something to check."""

    def __init__(self, journal: Outbox, *, node: str, clock: Clock, notify: Notify, released: Callable[[], None]) -> None:
        self._journal = journal
        self._node = node
        self._clock = clock
        self._notify = notify
        self._released = released

    async def look(self) -> None:
        for owner in await self._journal.owners():
            if owner.partition("/")[0] != self._node:
                claims = await self._journal.release(owner, self._clock.now())
                if claims:
                    self._notify(ClaimsReleased(owner=owner, claims=claims))
                    self._released()

    async def give_back(self) -> None:
        """This node ends: what it is still sending is checked by whoever comes next."""
        for owner in await self._journal.owners():
            if owner.partition("/")[0] == self._node:
                await self._journal.release(owner, self._clock.now())


def owner_of(node: str, endpoint: str) -> str:
    """In whose name a node's courier claims: each courier has its own, so that it can release its claims alone."""
    return f"{node}/{endpoint}"


def node_name() -> str:
    """The name of this process, another at each start: ``host:pid:start``."""
    return f"{socket.gethostname()}:{os.getpid()}:{time.time_ns():x}"
