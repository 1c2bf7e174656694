"""Where the journal of the site under test lies, and what its own counters say: SQLite in a file, or a private PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bench.product.process import ROOT, children, cpu_of_tree, share_of_memory
from msgspec import Struct

Kind = Literal["sqlite", "postgres"]


class Traffic(Struct, frozen=True, kw_only=True):
    """What a database counts itself."""

    commits: int = 0
    wal_bytes: int = 0
    wal_syncs: int = 0

    def since(self, before: Traffic) -> Traffic:
        return Traffic(
            commits=self.commits - before.commits,
            wal_bytes=self.wal_bytes - before.wal_bytes,
            wal_syncs=self.wal_syncs - before.wal_syncs,
        )


class Sqlite:
    """A file in the site's data folder; ``synchronous=FULL`` is the product's only mode."""

    kind: Kind = "sqlite"
    environment: Mapping[str, str] = {}
    durable = "SQLite, WAL, synchronous=FULL: one fdatasync of the log for each commit"

    def __init__(self) -> None:
        import sqlite3

        self.version = f"SQLite {sqlite3.sqlite_version}"

    def fresh(self) -> None: ...

    def cpu(self) -> float:
        return 0.0

    def memory(self) -> float:
        return 0.0

    def traffic(self) -> Traffic:
        return Traffic()

    def close(self) -> None: ...


class Postgres:
    """A server of our own through tools/postgres-up, with ``fsync`` and ``synchronous_commit`` on."""

    kind: Kind = "postgres"
    durable = "PostgreSQL, fsync=on, synchronous_commit=on, full_page_writes=on: the log is synced for each commit"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        made = subprocess.run(
            ["tools/postgres-up", str(folder), "0"],
            cwd=ROOT,
            env={**os.environ, "FSYNC": "on"},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise SystemExit(f"bench: no PostgreSQL: {made.stderr.strip()}")
        self._dsn = made.stdout.strip()
        data = (folder / "aside").read_text().strip() if (folder / "aside").is_file() else str(folder)
        self._postmaster = int(Path(data, "data", "postmaster.pid").read_text().splitlines()[0])
        self.environment: Mapping[str, str] = {
            "ISTHMUS__JOURNAL__KIND": "postgres",
            "ISTHMUS__JOURNAL__DSN": f"{self._dsn[: self._dsn.rindex('/')]}/bench",
        }
        self.version = self._ask("SHOW server_version", "isthmus").split()[0]
        self.version = f"PostgreSQL {self.version}"

    def fresh(self) -> None:
        """An empty database; what the one before wrote is on disk, so that its checkpoint is not ours."""
        self._ask("DROP DATABASE IF EXISTS bench WITH (FORCE)", "isthmus")
        self._ask("CREATE DATABASE bench", "isthmus")
        self._ask("CHECKPOINT", "isthmus")

    def cpu(self) -> float:
        return cpu_of_tree(self._postmaster)

    def memory(self) -> float:
        return share_of_memory([self._postmaster, *children(self._postmaster)])

    def traffic(self) -> Traffic:
        commits, wal, syncs = self._ask(
            "SELECT xact_commit || ' ' || (pg_current_wal_insert_lsn() - '0/0')::bigint || ' ' || (SELECT wal_sync FROM pg_stat_wal)"
            " FROM pg_stat_database WHERE datname = 'bench'",
            "bench",
        ).split()
        return Traffic(commits=int(commits), wal_bytes=int(wal), wal_syncs=int(syncs))

    def close(self) -> None:
        subprocess.run(["tools/postgres-down", str(self._folder)], cwd=ROOT, check=False)

    def _ask(self, statement: str, database: str) -> str:
        import asyncpg

        async def ask() -> str:
            connection = await asyncpg.connect(f"{self._dsn[: self._dsn.rindex('/')]}/{database}")
            try:
                return str(await connection.fetchval(statement))
            finally:
                await connection.close()

        return asyncio.run(ask())


Store = Sqlite | Postgres
