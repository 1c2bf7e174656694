"""tools/postgres-up and postgres-down: a private cluster, for root and for an ordinary user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

pytestmark = pytest.mark.postgres

TOOLS = Path(__file__).parent.parent.parent / "tools"


def run(tool: str, *arguments: str | Path, user: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-s", "--", *map(str, arguments)]  # from standard input: another user may not enter the checkout
    if user:
        command = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", *command]
    script = (TOOLS / tool).read_text()
    return subprocess.run(
        command, input=script, capture_output=True, text=True, check=False, cwd="/", timeout=90, env={**os.environ, **environment}
    )


@pytest.fixture
def folder(postgres_server: str) -> Iterator[Path]:
    """A short path that everybody may enter, as the folders of pytest may not be; only where there is a PostgreSQL at all."""
    made = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    made.chmod(0o777)
    yield made
    run("postgres-down", made / "cluster")
    shutil.rmtree(made)


async def setting(dsn: str, name: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        value: str = await connection.fetchval(f"SHOW {name}")
        return value
    finally:
        await connection.close()


@pytest.mark.parametrize("user", ["", "nobody"])
async def test_up_up_and_down(folder: Path, user: str) -> None:
    if user and os.getuid() != 0:
        pytest.skip("only root can become another user")
    cluster = folder / "cluster"
    first = run("postgres-up", cluster, "0", user=user)
    assert first.returncode == 0, first.stderr
    dsn = first.stdout.strip()
    assert dsn.startswith("postgresql://isthmus@127.0.0.1:")
    assert await setting(dsn, "fsync") == "off"
    again = run("postgres-up", cluster, "0", user=user, FSYNC="on")
    assert again.stdout == first.stdout
    assert (await setting(dsn, "fsync"), await setting(dsn, "synchronous_commit")) == ("on", "on")
    elsewhere = run("postgres-up", cluster, "1", user=user)
    assert (elsewhere.returncode, elsewhere.stderr.count("\n")) == (1, 1)
    assert run("postgres-down", cluster, user=user).returncode == 0
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncpg.connect(dsn)
    assert run("postgres-down", cluster, user=user).returncode == 0


async def test_a_killed_cluster_comes_back_with_its_data(folder: Path) -> None:
    cluster = folder / "cluster"
    dsn = run("postgres-up", cluster, "0", FSYNC="on").stdout.strip()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 17 AS number")
    os.kill(int((cluster / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    connection.terminate()
    again = run("postgres-up", cluster, "0", FSYNC="on")
    assert again.stdout.strip() == dsn, again.stderr
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT number FROM kept") == 17
    await connection.close()


def test_wrong_use_is_told(tmp_path: Path) -> None:
    assert run("postgres-up", tmp_path).returncode == 2
    assert run("postgres-up", tmp_path, "port").returncode == 2
    assert "on or off" in run("postgres-up", tmp_path, "0", FSYNC="maybe").stderr
    assert run("postgres-down").returncode == 2
    assert run("postgres-down", tmp_path).returncode == 0
