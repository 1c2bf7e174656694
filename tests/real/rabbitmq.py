"""A real RabbitMQ for tests: the distribution's server, one private node per test session."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_STARTS_WITHIN = 60.0


class Broker(Struct):
    port: int
    user: str
    password: str


class Rabbit:
    """One node, which can be killed and started again on what it had."""

    def __init__(self, folder: Path, broker: Broker, names_port: int, members: tuple[int, ...]) -> None:
        self.broker = broker
        self._folder = folder
        self._names_port = names_port
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("mnesia", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{broker.port}\n"
            f"default_user = {broker.user}\ndefault_pass = {broker.password}\n"
            "cluster_formation.randomized_startup_delay_range.min = 0\ncluster_formation.randomized_startup_delay_range.max = 0\n"
            + "".join(f"cluster_formation.classic_config.nodes.{one} = {_node(port)}\n" for one, port in enumerate(members, 1))
            + "log.console = true\nvm_memory_high_watermark.absolute = 256MB\ndisk_free_limit.absolute = 50MB\n"
        )

    def _environment(self) -> dict[str, str]:
        folder, port = self._folder, self.broker.port
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),  # the cookie that lets nodes talk to each other
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_NODENAME": _node(port),
            "RABBITMQ_DIST_PORT": str(port + 1),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ERL_ARGS": "+S 1:1 +sbwt none",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false",
        }

    def ctl(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` says."""
        environment = {one: value for one, value in self._environment().items() if not one.startswith("RABBITMQ_SERVER")}
        return subprocess.run(
            [str(_SERVER.with_name("rabbitmqctl")), *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout

    def start(self) -> None:
        folder, port = self._folder, self.broker.port
        with (folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [str(_SERVER)], env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < until:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert self._process.poll() is None, (folder / "out").read_text()[-2000:]
            time.sleep(0.1)
        raise AssertionError("RabbitMQ did not start: " + (folder / "out").read_text()[-2000:])

    def kill(self) -> None:
        """Its whole process group, with -9."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def _running(folder: Path, size: int) -> Iterator[list[Rabbit]]:
    first = _free_ports(2 * size + 1)
    password = secrets.token_urlsafe(16)
    ports = tuple(first + 1 + 2 * number for number in range(size))
    command = ["epmd", "-port", str(first), "-address", "127.0.0.1"]  # Erlang's name server; left to itself it would become a daemon
    names = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    nodes = [Rabbit(folder / str(port), Broker(port, "hospital", password), first, ports if size > 1 else ()) for port in ports]
    try:
        for node in nodes:
            node.start()
        yield nodes
    finally:
        for node in nodes:
            node.kill()
        names.kill()
        names.wait()


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """A broker of one node."""
    _available()
    with _running(tmp_path_factory.mktemp("rabbitmq"), 1) as (node,):
        yield node


@pytest.fixture
def rabbits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Rabbit]]:
    """A cluster of three."""
    _available()
    with _running(tmp_path_factory.mktemp("rabbitmq"), 3) as nodes:
        yield nodes


def _node(port: int) -> str:
    return f"isthmus{port}@localhost"


def _available() -> None:
    if reason := os.environ.get("ISTHMUS_TEST_RABBITMQ_MISSING"):
        pytest.skip(f"no real RabbitMQ: {reason}")
    if not _SERVER.exists() and not _installed():
        pytest.skip("no real RabbitMQ: install the package rabbitmq-server, or run the tests once as root")


def _installed() -> bool:
    """As root on a machine with apt, install it; its own service is never started."""
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return False
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-qq", "update"], env=quiet, capture_output=True, check=False)
        command = ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends", "install", "rabbitmq-server"]
        subprocess.run(command, env=quiet, capture_output=True, check=False)
    finally:
        if ours:
            policy.unlink(missing_ok=True)
    return _SERVER.exists()


def _free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(16_100 + 1_000 * _worker(), 32_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
