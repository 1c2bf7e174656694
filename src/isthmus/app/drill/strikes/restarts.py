"""Something that others need is restarted: the database of the journal, or Odoo in the middle of a batch."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from urllib.parse import urlsplit

from isthmus.app.config import PostgresJournal
from isthmus.app.drill.field import Field, Hurt, until
from isthmus.app.drill.sinks import Erp

_DOWN = 1.5
"""Seconds for which it is away."""
_MOST = 0.6


async def postgres(field: Field) -> Hurt:
    """As the restart of a server looks from a node: every session is ended, and for a while nobody listens."""
    import asyncpg  # noqa: PLC0415 - the extra `postgres`

    settings, gate = field.sandbox.config.journal, field.sandbox.database
    if not isinstance(settings, PostgresJournal) or gate is None:
        return Hurt(0, "the journal is not on PostgreSQL")
    parts = urlsplit(settings.dsn)
    server = await asyncpg.connect(f"{parts.scheme}://{parts.netloc.rpartition('@')[0]}@{gate.host}:{gate.behind}/postgres")
    ended = 0
    try:
        for number in range(field.times):
            await field.moment(_MOST)
            field.tell(f"restart {number + 1} of {field.times}")
            async with field.harm():
                sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
                ended += len(await server.fetch(sessions, parts.path.lstrip("/")))
                gate.shut()
                await asyncio.sleep(_DOWN)
                await gate.open(gate.port)
            await field.load.more(1, 60.0)
    finally:
        await server.close()
    away = len(field.node.since(field.strikes[0].began, "LoopRestarted", "SourceSlowed", "MessagesTurnedAway"))
    return Hurt(ended if away else 0, f"{field.times} restarts ended {ended} sessions; {away} notices that the journal is away")


async def odoo(field: Field) -> Hurt:
    """Odoo's process is killed while it works on a batch, and started again with what it had committed."""
    sink = next(one for one in field.sandbox.sinks.values() if isinstance(one, Erp))
    gate = next(field.sandbox.gates[name] for name, one in field.sandbox.sinks.items() if one is sink)
    await sink.stop()
    server = OdooProcess(sink.path, gate.behind)
    await server.start()
    hit = 0
    try:
        for number in range(field.times):
            before = field.node.counts["AttemptsSettled.delivered", gate.name]
            await until(lambda: field.node.counts["AttemptsSettled.delivered", gate.name] > before, 30.0)  # noqa: B023 - it waits in this round
            await field.moment(_MOST)
            field.tell(f"restart {number + 1} of {field.times}")
            await until(lambda: gate.in_the_air > 0, 5.0)
            async with field.harm():
                hit += gate.in_the_air > 0
                await server.kill()
                await asyncio.sleep(_DOWN)
                await server.start()
    finally:
        field.after += [server.kill, sink.start]
    return Hurt(hit, f"killed {field.times} times, {hit} times in the middle of a call")


class OdooProcess:
    """The practice Odoo in a process of its own, keeping its records in a file."""

    def __init__(self, path: Path, port: int) -> None:
        self._path, self._port = path, port
        self._process: Process | None = None

    async def start(self) -> None:
        words = ("practice", "odoo", "--port", str(self._port), "--keep", str(self._path))
        program = "import sys; from isthmus.app.cli import main; sys.exit(main(sys.argv[1:]))"
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, *words, stdout=PIPE, stderr=DEVNULL)
        if self._process.stdout is not None:
            await self._process.stdout.readline()  # it says where it listens

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
