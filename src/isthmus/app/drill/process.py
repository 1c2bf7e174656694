"""NodeProcess: the engine's process of a drill, seen from outside: started, killed, stopped, and what it told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

READY = 30.0
"""Seconds that a start may take."""
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
"""Of our environment: nothing of a site's configuration or secrets."""


class Told(Struct, frozen=True):
    """Something that the node noticed."""

    at: float
    """Seconds on the monotonic clock of this machine."""
    what: str
    line: str = ""
    told: dict[str, Any] = {}


class NodeDied(Exception):
    """The node ended though nobody killed it; the text is the end of what it wrote."""


class NodeProcess:
    """One at a time, started as often as wanted. ``heard`` has what all of them told."""

    def __init__(self, plan: Callable[[], Path], log: Path) -> None:
        """``plan``: writes down what the next one is told, and says where."""
        self.heard: list[Told] = []
        self.counts: Counter[str | tuple[str, str]] = Counter()
        """What notices counted: ``ClaimsReleased.claims``, ``AttemptsSettled.unknown``; with the endpoint's name, of that endpoint alone."""
        self.standing: dict[str, Any] = {}
        """The last line about where everything stands."""
        self.ready_at = 0.0
        self.started = 0
        self.prepare = plan
        self._log = log
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, *, wait: bool = True) -> None:
        """Returns when it takes messages (or at once)."""
        self._ready.clear()
        log: BinaryIO
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "isthmus.app.drill.node", str(self.prepare()), stdin=PIPE, stdout=PIPE, stderr=log,
                env={name: value for name, value in os.environ.items() if name in _KEPT}, limit=1 << 20,
            )  # fmt: skip
        self.started += 1
        self._reading = asyncio.create_task(self._read(self._process))
        if wait:
            await self.ready()

    async def ready(self) -> None:
        """Raises :class:`NodeDied`."""
        over = asyncio.create_task(self._ended())
        waiting = asyncio.create_task(self._ready.wait())
        _, pending = await asyncio.wait((over, waiting), timeout=READY, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if not self._ready.is_set():
            raise NodeDied(self.last_words())

    async def died(self) -> None:
        """Until it has ended, by whatever."""
        await self._ended()

    async def kill(self) -> None:
        """As ``kill -9``: no handler runs, nothing is flushed."""
        self.signal(signal.SIGKILL)
        await self._ended()

    async def stop(self, timeout: float = 40.0) -> bool:
        """Ask for a graceful end; False when it had to be killed."""
        if not self.alive:
            return True
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout):
                await self._ended()
        except TimeoutError:
            await self.kill()
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    async def freeze(self) -> None:
        """Stop it where it is; returns when every thread stands."""
        self.signal(signal.SIGSTOP)
        while self.alive and not _stands(self.pid):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def order(self, line: str) -> None:
        """Tell it something: ``clock 3600``."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line.encode() + b"\n")

    def since(self, at: float, *what: str) -> list[Told]:
        return [one for one in self.heard if one.at >= at and (not what or one.what in what)]

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        async for line in process.stdout:
            try:
                document = msgspec.json.decode(line)
            except msgspec.DecodeError:
                continue  # the line in which it was killed
            self._hear(document)

    def _hear(self, document: dict[str, Any]) -> None:
        what, told = document.pop("is"), document.pop("told", {})
        if what == "standing":
            self.standing = document
            return
        self.heard.append(Told(document["at"], what, document.get("line", ""), told or document))
        for name, value in told.items():
            if isinstance(value, int):
                self.counts[f"{what}.{name}"] += value
                self.counts[f"{what}.{name}", told.get("endpoint", "")] += value
        if what == "ready":
            self.ready_at = document["at"]
            self._ready.set()


def _stands(pid: int) -> bool:
    """Whether every thread of it is stopped, or gone."""
    try:
        return all(stat.read_text().rpartition(")")[2].split()[0] in "TtZ" for stat in Path(f"/proc/{pid}/task").glob("*/stat"))
    except OSError:
        return False
