"""Sandbox: where a drill takes place. A temporary folder, practice systems behind gates, and a configuration that knows nothing else.

The site's own addresses, credentials and journal are never used: each source and each endpoint gets an address of ours on loopback,
and ``_ours`` refuses to go on if anything else were left.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import structs

from isthmus.app.config import Config, JournalSettings, Placed, PostgresJournal, SqliteJournal
from isthmus.app.drill.disks import Image, Small
from isthmus.app.drill.gate import Gate
from isthmus.app.drill.plan import NodePlan, When, plan_of
from isthmus.app.drill.sinks import PRACTISED, Sink, sink_for
from isthmus.app.drill.speakers import FileSpeaker, HttpSpeaker, MllpSpeaker, Speaker
from isthmus.core import Bug, Finding, Rejected, Site

FED = ("mllp", "http", "file")
"""Kinds of source to which a drill can speak."""
_PORTS = range(20_000, 32_000)
"""Below those that the system gives away by itself, so that nobody takes one while its owner is down."""
_PACE = 500.0
_TOKEN = "drill"  # noqa: S105 - of a listener on loopback that lives for a minute


def unfit(site: Site, config: Config) -> list[Finding]:
    """Why a site cannot be drilled; empty where it can."""
    found = [
        Finding(f"endpoints.{name}", f"there is no practice system of kind {one.kind}", "drill a copy of the site without it")
        for name, one in config.endpoints.items()
        if one.kind not in PRACTISED
    ]
    if not any(one.kind in FED and name in site.sources for name, one in config.sources.items()):
        found.append(Finding("sources", "a drill can speak to none of them", f"it knows {', '.join(FED)}"))
    return found


class Sandbox:
    """``config`` is what the node runs on; ``sinks`` and ``gates`` by endpoint."""

    def __init__(self, site: Site, config: Config, rng: Random, *, journal: JournalSettings | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isthmus-drill-"))
        self.data = self.folder / "data"
        """What the node writes; a drill of disks mounts something else here."""
        self.data.mkdir()
        self.disk: Small | Image | None = None
        """Where the data folder lies, if not on the machine's own disk."""
        self.site = site
        self.sinks: dict[str, Sink] = {}
        self.gates: dict[str, Gate] = {}
        self.config = config
        self._rng = rng
        self._ports = _free_ports(rng)
        self._journal = journal
        self.database: Gate | None = None
        """Before the journal's server, where it has one."""

    async def furnish(self) -> None:
        """Start what stands around the site, and point the site at it."""
        endpoints: dict[str, Placed] = {}
        for name, placed in self.config.endpoints.items():
            sink = self.sinks[name] = sink_for(placed, self.folder / "around")
            (self.folder / "around").mkdir(exist_ok=True)
            await sink.start()
            if sink.speaks:
                gate = self.gates[name] = Gate(name, sink.port, speaks=sink.speaks, rng=self._rng)
                await gate.open(next(self._ports))
            endpoints[name] = self._endpoint(placed)
        sources = {name: self._source(one) for name, one in self.config.sources.items() if one.kind in FED and name in self.site.sources}
        journal = self._journal or SqliteJournal(path=self.data / "journal.sqlite", keyring=self.data / "keyring.json")
        if isinstance(journal, PostgresJournal):
            journal = await self._gated(journal)
        self.config = structs.replace(self.config, data=self.data, journal=journal, sources=sources, endpoints=endpoints)
        _ours(self.config, {gate.port for gate in self.gates.values()}, self.folder)

    def mount(self, disk: Literal["small", "image"]) -> None:
        """Put the data folder on a disk of its own; raises ``Rejected`` where that cannot be."""
        self.disk = Small(self.data) if disk == "small" else Image(self.data, self.folder)

    def plan(self, *, die_at: int = 0, die_when: When = "after") -> Path:
        """Write down what the node is told; the file's path."""
        plan: NodePlan = structs.replace(plan_of(self.config), die_at=die_at, die_when=die_when)
        path = self.folder / "sandbox.json"
        with suppress(FileNotFoundError):
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(plan))
        return path

    def speakers(self, connections: int) -> dict[str, list[Speaker]]:
        """Who speaks to each source."""
        return {name: [_speaker(one, number) for number in range(connections)] for name, one in self.config.sources.items()}

    async def clear(self, *, keep: bool = False) -> None:
        """Stop all and remove the folder, or leave it for whoever wants to know more."""
        for gate in (*self.gates.values(), *([self.database] if self.database else [])):
            await gate.close()
        for sink in self.sinks.values():
            await sink.stop()
        if self.disk is not None:
            self.disk.remove()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _gated(self, journal: PostgresJournal) -> PostgresJournal:
        """The same database, reached through a gate."""
        parts = urlsplit(journal.dsn)
        if not parts.hostname:
            raise Rejected("dsn", "a drill needs the server's host and port: write postgresql://user@host:5432/database")
        self.database = Gate("journal", parts.port or 5432, rng=self._rng, host=parts.hostname, latency=(0.0, 0.0))
        await self.database.open(next(self._ports))
        login = parts.netloc.rpartition("@")[0]
        place = f"{login}@127.0.0.1:{self.database.port}" if login else f"127.0.0.1:{self.database.port}"
        return structs.replace(journal, dsn=urlunsplit(parts._replace(netloc=place)))

    def _endpoint(self, placed: Placed) -> Placed:
        port = self.gates[placed.name].port if placed.name in self.gates else 0
        changes: dict[str, Mapping[str, Any]] = {
            "http": {"url": f"http://127.0.0.1:{port}", "token": "", "user": "", "password": "", "tls": None, "calls_per_second": 0.0},
            "mllp": {"host": "127.0.0.1", "port": port, "tls": None, "calls_per_second": 0.0},
            "odoo": {
                "url": f"http://127.0.0.1:{port}", "database": "practice", "key": "practice-key", "user": "isthmus", "company": 1,
                "calls_per_second": _PACE,
            },
            "file": {"folder": self.folder / "around" / placed.name, "create": True},
        }  # fmt: skip
        return structs.replace(placed, settings=structs.replace(placed.settings, **changes[placed.kind]))

    def _source(self, placed: Placed) -> Placed:
        port = next(self._ports)
        changes: dict[str, Mapping[str, Any]] = {
            "http": {"host": "127.0.0.1", "port": port, "token": _TOKEN, "tls": None},
            "mllp": {"host": "127.0.0.1", "port": port, "tls": None},
            "file": {"folder": self.folder / "in" / placed.name, "every": 0.1, "settle": 0.0, "complete": "settled"},
        }
        return structs.replace(placed, settings=structs.replace(placed.settings, **changes[placed.kind]))


def _speaker(placed: Placed, number: int) -> Speaker:
    settings: Any = placed.settings
    match placed.kind:
        case "mllp":
            return MllpSpeaker(settings.port)
        case "http":
            return HttpSpeaker(settings.port, settings.path, settings.token)
        case _:
            return FileSpeaker(settings.folder, f"drill{number}", Path(settings.pattern).suffix or ".json")


def _ours(config: Config, ports: set[int], folder: Path) -> None:
    """Everything that the node will speak to is ours; anything else is a bug that must not reach a real system."""
    for one in config.endpoints.values():
        settings: Any = one.settings
        match one.kind:
            case "mllp":
                ours = settings.host == "127.0.0.1" and settings.port in ports
            case "file":
                ours = settings.folder.is_relative_to(folder)
            case _:
                host, _, port = settings.url.removeprefix("http://").partition(":")
                ours = host == "127.0.0.1" and int(port or 0) in ports
        if not ours:
            raise Bug("drill-outside", f"the drill's configuration of endpoint {one.name} leads out of the sandbox")


def _free_ports(rng: Random) -> Iterator[int]:
    ports = list(_PORTS)
    Random(rng.random() + os.getpid()).shuffle(ports)  # noqa: S311 - two drills at the same time should not try the same ones
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
