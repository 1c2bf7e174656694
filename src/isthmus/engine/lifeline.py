"""Lifeline: takes over what a process that is gone was sending.

Each claim carries its owner's name, which says host, process and when that process began, so a process number that was given
out again is not taken for the old one. What the dead was sending has an unknown outcome: it is checked before it is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import ClaimsReleased, Notify
from isthmus.journals.port import Outbox

EVERY = 10.0
"""Seconds between two looks."""

IsAlive = Callable[[str], bool]
"""Whether the node of this name is still there."""


class Lifeline:
    """``look`` once before anything is claimed, then ``run``. ``released`` is called when there is something to check."""

    def __init__(
        self, journal: Outbox, *, node: str, is_alive: IsAlive, clock: Clock, notify: Notify, released: Callable[[], None]
    ) -> None:
        self._journal = journal
        self._node = node
        self._is_alive = is_alive
        self._clock = clock
        self._notify = notify
        self._released = released

    async def look(self) -> None:
        for owner in await self._journal.owners():
            node = owner.partition("/")[0]
            if node != self._node and not self._is_alive(node):
                claims = await self._journal.release(owner, self._clock.now())
                if claims:
                    self._notify(ClaimsReleased(owner=owner, claims=claims))
                    self._released()

    async def give_back(self) -> None:
        """This node ends: what it is still sending is checked by whoever comes next."""
        for owner in await self._journal.owners():
            if owner.partition("/")[0] == self._node:
                await self._journal.release(owner, self._clock.now())

    async def run(self) -> None:
        while True:
            await self._clock.sleep(EVERY)
            await self.look()


def owner_of(node: str, endpoint: str) -> str:
    """In whose name a node's courier claims: each courier has its own, so that it can release its claims alone."""
    return f"{node}/{endpoint}"


def node_name() -> str:
    """The name of this process: ``host:pid:start``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def nobody_else(_node: str) -> bool:
    """For a journal that is locked by one process: whoever else had claims is gone."""
    return False


def on_this_host(node: str) -> bool:
    """For a journal that processes of one host share: is that process still there? Of other hosts nothing is known: alive."""
    match node.rsplit(":", 2):
        case [host, pid, started] if host == socket.gethostname() and pid.isdigit():
            return _started(int(pid)) == started
        case _:
            return True


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did (field 22 of proc(5)); empty when it is gone; ``?`` without /proc."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            return "?"
        return "?"
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]
