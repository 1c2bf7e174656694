"""A real Odoo 19 for tests: one server per machine, a database of its own for whoever asks."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec import Struct, convert

ROOT = Path(__file__).parent.parent.parent


class OdooUser(Struct, frozen=True):
    uid: int
    key: str


class OdooServer(Struct, frozen=True):
    """What ``tools/odoo-up`` prints."""

    url: str
    dsn: str
    """Of its PostgreSQL."""
    template: str
    company: int
    users: dict[str, OdooUser]
    """``isthmus`` has what the connector needs and no more, ``low`` hardly anything, ``admin`` all."""


class RealOdoo(Struct, frozen=True):
    """A database of one test."""

    server: OdooServer
    database: str

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="session")
def odoo_server(postgres_server: str) -> Iterator[OdooServer]:
    """A running Odoo: the one of ``ISTHMUS_TEST_ODOO`` (``make test`` sets it), or one of our own, shared by all workers."""
    if given := os.environ.get("ISTHMUS_TEST_ODOO"):
        yield convert(json.loads(Path(given).read_text()), OdooServer)
        return
    if reason := os.environ.get("ISTHMUS_TEST_ODOO_MISSING"):
        pytest.skip(f"no real Odoo: {reason}")
    folder = ROOT / ".cache" / "odoo"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield start(folder, postgres_server)
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stop(folder)


def start(folder: Path, dsn: str) -> OdooServer:
    """Start an Odoo in a folder, on this PostgreSQL; skips the test where that cannot be."""
    environment = {**os.environ, "ISTHMUS_TEST_POSTGRES": dsn}
    started = subprocess.run([ROOT / "tools" / "odoo-up", folder], capture_output=True, text=True, check=False, env=environment)
    if started.returncode != 0:
        pytest.skip(f"no real Odoo: {started.stderr.strip().splitlines()[-1]}")
    return convert(json.loads(started.stdout), OdooServer)


def stop(folder: Path) -> None:
    subprocess.run([ROOT / "tools" / "odoo-down", folder], check=True)


@contextmanager
def database(server: OdooServer) -> Iterator[RealOdoo]:
    """A fresh copy of the template; gone afterwards."""
    name = f"run_{uuid.uuid4().hex[:12]}"
    _run(_execute(server.dsn, f"CREATE DATABASE {name} TEMPLATE {server.template}"))
    try:
        yield RealOdoo(server, name)
    finally:
        _run(_execute(server.dsn, f"DROP DATABASE {name} WITH (FORCE)"))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a test's event loop may be running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def odoo(odoo_server: OdooServer) -> Iterator[RealOdoo]:
    """A database of this test's own in a real Odoo 19."""
    with database(odoo_server) as own:
        yield own
