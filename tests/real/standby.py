"""Two real PostgreSQL servers for tests: a primary, and a standby that streams from it and can be promoted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
_STANDBY = "standby"
"""The name under which the primary knows it."""


class Pair:
    """Both on 127.0.0.1; what is acknowledged lies on both disks when ``synchronous`` was called."""

    def __init__(self, folder: Path) -> None:
        self._primary, self._standby = folder / "primary", folder / "standby"
        first = self._up(self._primary)
        self.primary_port = int(first.rsplit(":", 1)[1].partition("/")[0])
        with (self._primary / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host replication all 127.0.0.1/32 trust\n")
        self._bin = Path(max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: float(one.parent.name)))
        self._ctl("reload", self._primary)
        self._make_standby()

    @property
    def dsn(self) -> str:
        """As a node is told it: both, and that it wants the one that takes writes."""
        return f"postgresql://isthmus@127.0.0.1:{self.primary_port},127.0.0.1:{self.standby_port}/isthmus?target_session_attrs=read-write"

    def synchronous(self) -> None:
        """From now on a commit waits until the standby has it on its disk. Told to the primary alone: the standby, once promoted, must
        not wait for anybody."""
        self._tell(self.primary_port, f"ALTER SYSTEM SET synchronous_standby_names = '{_STANDBY}'")
        self._tell(self.primary_port, "SELECT pg_reload_conf()")
        self._until(self.primary_port, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1")

    def caught_up(self) -> None:
        self._until(self.primary_port, "SELECT count(*) FROM pg_stat_replication WHERE flush_lsn = pg_current_wal_flush_lsn()", "1")

    def pause_sending(self) -> None:
        """The standby gets nothing more, and does not know it."""
        os.kill(self._sender(), signal.SIGSTOP)

    def go_on_sending(self) -> None:
        os.kill(self._sender(), signal.SIGCONT)

    def kill_primary(self) -> None:
        """All of it with SIGKILL, as when its machine loses power: nobody says a word, and what was not sent stays there."""
        postmaster = _pid(self._primary)
        children = _children(postmaster)
        for one in (postmaster, *children):
            os.kill(one, signal.SIGKILL)

    def promote(self) -> None:
        self._ctl("promote", self._standby)

    def _make_standby(self) -> None:
        (self._standby / "run").mkdir(parents=True)
        source = f"host=127.0.0.1 port={self.primary_port} user=isthmus application_name={_STANDBY}"
        data = self._standby / "data"
        if os.getuid() == 0:
            shutil.chown(self._standby, "postgres", "postgres")
            shutil.chown(self._standby / "run", "postgres", "postgres")
        self._server(
            "pg_basebackup", "--dbname", source, "--pgdata", data, "--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf"
        )
        self.standby_port = int(self._up(self._standby).rsplit(":", 1)[1].partition("/")[0])
        self._until(self.primary_port, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1")

    def _up(self, folder: Path) -> str:
        started = subprocess.run(
            [ROOT / "tools" / "postgres-up", folder, "0"], capture_output=True, text=True, check=False, env={**os.environ, "FSYNC": "on"}
        )
        if started.returncode != 0:
            pytest.skip(started.stderr.strip().splitlines()[-1])
        return started.stdout.strip()

    def _server(self, program: str, *arguments: str | Path) -> str:
        as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.getuid() == 0 else []
        done = subprocess.run([*as_postgres, self._bin / program, *arguments], capture_output=True, text=True, check=True, cwd="/")
        return done.stdout.strip()

    def _ctl(self, act: str, folder: Path) -> None:
        self._server("pg_ctl", act, "--pgdata", folder / "data")

    def _tell(self, port: int, sql: str) -> str:
        place = ("--host", "127.0.0.1", "--port", str(port), "--username", "isthmus", "--dbname", "isthmus")
        return self._server("psql", "--no-psqlrc", "--tuples-only", "--no-align", *place, "--command", sql)

    def _until(self, port: int, sql: str, wanted: str) -> None:
        until = time.monotonic() + 20
        while self._tell(port, sql) != wanted:
            assert time.monotonic() < until, f"not within 20 s: {sql}"
            time.sleep(0.05)

    def _sender(self) -> int:
        """The primary's process that sends to the standby."""
        for pid, name in _children(_pid(self._primary)).items():
            if "walsender" in name:
                return pid
        raise AssertionError("the primary sends to nobody")


def _children(parent: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for one in Path("/proc").glob("[0-9]*"):
        try:
            status, name = (one / "stat").read_text(), (one / "cmdline").read_text()
        except OSError:
            continue
        if status.rpartition(")")[2].split()[1] == str(parent):
            found[int(one.name)] = name
    return found


def _pid(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@pytest.fixture
def pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="isthmus-pair.", dir="/var/tmp"))  # where the server's own user may enter
    folder.chmod(0o755)
    try:
        yield Pair(folder)
    finally:
        for one in ("standby", "primary"):
            subprocess.run([ROOT / "tools" / "postgres-down", folder / one], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
