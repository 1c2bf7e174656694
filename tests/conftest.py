"""Fixtures of real parts that several floors' tests share."""

from __future__ import annotations

import fcntl
import os
import subprocess
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from real.kafka import kafka
from real.nats import nats_cluster, nats_server
from real.odoo import odoo, odoo_server
from real.rabbitmq import rabbit, rabbits

__all__ = ["kafka", "nats_cluster", "nats_server", "odoo", "odoo_server", "rabbit", "rabbits"]

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """DSN of a running PostgreSQL: the one of ``ISTHMUS_TEST_POSTGRES`` (``make test`` sets it), or our own private cluster.

    Our own is shared by all workers of the checkout; whoever of them ends last stops it.
    """
    if given := os.environ.get("ISTHMUS_TEST_POSTGRES"):
        yield given
        return
    if reason := os.environ.get("ISTHMUS_TEST_POSTGRES_MISSING"):
        pytest.skip(f"no real PostgreSQL: {reason}")
    folder = ROOT / ".cache" / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        started = subprocess.run([ROOT / "tools" / "postgres-up", folder, "0"], capture_output=True, text=True, check=False)
        if started.returncode != 0:
            pytest.skip(started.stderr.strip().splitlines()[-1])
        yield started.stdout.strip()
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        subprocess.run([ROOT / "tools" / "postgres-down", folder], check=True)


@pytest.fixture
async def postgres_dsn(postgres_server: str) -> AsyncIterator[str]:
    """DSN of a fresh, empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    server = await asyncpg.connect(postgres_server)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield f"{postgres_server.rpartition('/')[0]}/{name}"
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One clear line for each reason why something was left out, and how often; never silently."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reasons[str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")] += 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"left out {count} tests: {reason}")
