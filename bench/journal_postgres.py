# ruff: noqa: INP001, T201 - a script that prints
"""What the journal in PostgreSQL costs: the stages of ``bench/journal.py``, with the server's share and the log that it writes.

    FSYNC=on tools/postgres-up DIR 0
    python bench/journal_postgres.py DSN [--messages 20000] [--batch 200] [--fill 0]

The database is to be empty, and on this machine: the server's CPU is read from ``/proc``. ``log`` is write-ahead log in bytes a
message; it is written (and synced, with FSYNC=on) once a commit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from journal import Bench, Stage

from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring

_TICKS = os.sysconf("SC_CLK_TCK")


class Counted(PostgresJournal):
    """Counts the calls that write: each is one commit."""

    commits = 0


class PostgresBench(Bench):
    def __init__(self, journal: Counted, batch: int, watcher: asyncpg.Connection[asyncpg.Record]) -> None:
        super().__init__(journal, batch)  # type: ignore[arg-type]  # any journal that tells its commits
        self.watcher = watcher
        self.log: dict[str, int] = {}
        self.server: dict[str, float] = {}

    @asynccontextmanager
    async def measured(self, name: str) -> AsyncIterator[None]:
        log, server = await self._log(), await self._server()
        async with super().measured(name):
            yield
        written = await self._log() - log
        self.log[name] = self.log.get(name, 0) + written
        self.server[name] = self.server.get(name, 0.0) + await self._server() - server
        self.stages[name].commits += bool(written)

    async def _log(self) -> int:
        return int(await self.watcher.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    async def _server(self) -> float:
        """Seconds of CPU of the journal's backends."""
        pids = await self.watcher.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'isthmus'")
        return sum(_ticks(pid) for (pid,) in pids) / _TICKS

    def table(self, messages: int) -> None:
        print(f"{'stage':<14}{'us CPU':>10}{'us server':>10}{'us wall':>10}{'log':>10}{'commits':>10}")
        for stage in self.stages.values():
            self._line(stage, self.server[stage.name], self.log[stage.name], messages)
        stages = list(self.stages.values())
        total = Stage("whole way", sum(one.seconds for one in stages), sum(one.cpu for one in stages), sum(one.commits for one in stages))
        self._line(total, sum(self.server.values()), sum(self.log.values()), messages)
        self.stages.clear()
        self.log.clear()
        self.server.clear()

    @staticmethod
    def _line(stage: Stage, server: float, log: int, messages: int) -> None:
        print(
            f"{stage.name:<14}{stage.cpu / messages * 1e6:>10.1f}{server / messages * 1e6:>10.1f}{stage.seconds / messages * 1e6:>10.1f}"
            f"{log / messages:>10.0f}{stage.commits:>10}"
        )

    async def receive_in_turns(self, connections: int, messages: int) -> None:
        """As the receiver does: whatever arrives while a commit is under way is the next commit."""
        waits: list[float] = []
        for _ in range(messages // connections):
            arrivals = [self.arrival() for _ in range(connections)]
            begun = time.perf_counter()
            await self.journal.receive(arrivals)
            waits.append(time.perf_counter() - begun)
        waits.sort()
        print(
            f"receive, {connections:>3} a commit  {connections * len(waits) / sum(waits):>8,.0f}/s   "
            f"p50 {waits[len(waits) // 2] * 1e3:6.2f} ms   p99 {waits[len(waits) * 99 // 100] * 1e3:6.2f} ms"
        )


def _ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


async def main() -> None:
    options = argparse.ArgumentParser(description="What the journal in PostgreSQL costs")
    options.add_argument("dsn")
    options.add_argument("--messages", type=int, default=20_000)
    options.add_argument("--batch", type=int, default=200)
    options.add_argument("--fill", type=int, default=0)
    told = options.parse_args()
    watcher = await asyncpg.connect(told.dsn, server_settings={"application_name": "bench"})
    journal = Counted(told.dsn, Keyring.ephemeral(), connections=1)
    await journal.open()
    bench = PostgresBench(journal, told.batch, watcher)
    settings = [await watcher.fetchval(f"SHOW {name}") for name in ("server_version", "fsync", "synchronous_commit")]
    print("PostgreSQL {}, fsync {}, synchronous_commit {}".format(*settings))
    if told.fill:
        await bench.whole_way(told.fill)
        print(f"while filling with {told.fill:,} messages:")
        bench.table(told.fill)
    await bench.whole_way(told.batch * 2)  # prepares the statements
    bench.table(told.batch * 2)
    print(f"{told.messages:,} messages in batches of {told.batch}, {bench.made:,} kept before, {await journal.size() / 1e6:,.0f} MB:")
    await bench.whole_way(told.messages)
    bench.table(told.messages)
    for connections in (1, 8, 32, 128):
        await bench.receive_in_turns(connections, min(told.messages, 500 * connections))
    await journal.close()
    await watcher.close()


if __name__ == "__main__":
    asyncio.run(main())
