"""The system under test: ``isthmus run bench/site`` as a process of its own, started on an empty journal."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from bench.product.generator import verdict
from bench.product.messages import fill, templates
from bench.product.process import Child, children, free_port, python
from bench.product.sink import Count
from bench.product.store import Store

PROBE_PATIENT = 99_999
DRAINED_WITHIN = 120.0
READY_WITHIN = 30.0


class Sink:
    """The process that is delivered to."""

    def __init__(self) -> None:
        self.port = port = free_port()
        self.child = python("bench.product.sink", "--port", port)
        self.child.line(10)

    def count(self) -> Count:
        return msgspec.json.decode(self._get("/count"), type=Count)

    def dump(self, path: Path) -> None:
        self._get(f"/dump?{path}")

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return bytes(answer.read())


class Site:
    """A running site. ``ready`` is the time from its start to its first acknowledgement."""

    def __init__(
        self, store: Store, folder: Path, sink: Sink, *, first: int, wrap: tuple[str, ...] = (), program: tuple[str, ...] | None = None
    ) -> None:
        """``wrap``: a program that runs it and watches, such as strace; ``program``: instead of ``isthmus``."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        store.fresh()
        self.port, self.sink, self.folder = free_port(), sink, folder
        self.probe = first
        self._wrapped = bool(wrap)
        environment: Mapping[str, str] = {
            **store.environment,
            "ISTHMUS__SOURCES__CLINICAL__PORT": str(self.port),
            "ISTHMUS__ENDPOINTS__PORTAL__URL": f"http://127.0.0.1:{sink.port}",
        }
        command = [
            *wrap,
            *(program or (str(Path(sys.executable).parent / "isthmus"),)),
            "run",
            "bench/site",
            "--data",
            str(folder),
            "--drain",
            "60",
        ]
        self.child = Child(command, environment=environment, log=folder / "log")
        try:
            self.ready = self._until_acknowledged()
        except BaseException:
            self.child.end(signal.SIGKILL)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.end()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.child.end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The site's own process, also where a program watches it."""
        return next(iter(children(self.child.pid)), self.child.pid) if self._wrapped else self.child.pid

    def _until_acknowledged(self) -> float:
        message = fill(templates("usual")[0], self.probe, PROBE_PATIENT)
        while time.monotonic() - self.child.began < READY_WITHIN:
            if not self.child.running:
                raise SystemExit(f"bench: the site ended at its start:\n{self._log()}")
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                connection.sendall(message)
                answer = connection.recv(4096)
                if verdict(answer, self.probe) != "AA":
                    raise SystemExit(f"bench: the first message was not acknowledged: {answer!r}\n{self._log()}")
                return time.monotonic() - self.child.began
            time.sleep(0.002)
        raise SystemExit(f"bench: the site is not ready after {READY_WITHIN:.0f} s")

    def _log(self) -> str:
        """The end of what it said."""
        return (self.folder / "log").read_text()[-4000:]

    def drained(self, delivered: int) -> bool:
        """Wait until so many deliveries have come; False when they do not."""
        until = time.monotonic() + DRAINED_WITHIN
        while time.monotonic() < until:
            if self.sink.count().delivered >= delivered:
                return True
            if not self.child.running:
                raise SystemExit(f"bench: the site ended under load:\n{self._log()}")
            time.sleep(0.02)
        return False

    def end(self) -> int:
        """As a hospital ends it: drained, and gone when this returns."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        return self.child.wait(70)
