"""Child processes, and what ``/proc`` says of them: CPU time, memory, bytes written."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of all children: modules are compiled once, as in any installation."""


class Child:
    """A process of ours; leaving the block ends it, and waits until it is gone."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self._log = log.open("ab") if log is not None else None
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._log is None else self._log,
            stderr=self._log,
            cwd=ROOT,
            env={**_ENVIRONMENT, **(environment or {})},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def line(self, timeout: float) -> str:
        """The next line that it prints."""
        if (out := self._process.stdout) is None:
            raise ValueError("it writes to its log")
        if not select.select([out], [], [], timeout)[0]:
            raise TimeoutError(f"{self._process.args!r} says nothing for {timeout:.0f} s")
        return out.readline().decode()

    def tell(self, line: str) -> None:
        if (pipe := self._process.stdin) is None:
            raise ValueError("it has ended")
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def end(self, number: int = signal.SIGTERM, timeout: float = 60.0) -> int:
        if self.running:
            self._process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float) -> int:
        """Until it has ended; what does not end in time is killed."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(signal.SIGTERM if kind is None else signal.SIGKILL)


def python(module: str, *words: object, log: Path | None = None) -> Child:
    """One of the benchmark's own programs."""
    return Child([sys.executable, "-m", module, *map(str, words)], log=log)


def free_port() -> int:
    """One that nobody listens on, below those that the kernel gives to clients."""
    for port in random.sample(range(20_000, 32_000), 200):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("200 ports between 20000 and 32000 are all taken")


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has taken, with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def cpu_of_tree(pid: int) -> float:
    """Of a process and all below it."""
    return cpu(pid) + sum(map(cpu_of_tree, children(pid)))


def memory(pid: int, what: str) -> float:
    """MB: ``VmRSS`` now, ``VmHWM`` at most since it began; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith(what)), f"{what}: 0")
    return int(line.split()[1]) / 1024


def share_of_memory(pids: Sequence[int]) -> float:
    """MB that several processes hold together, what they share counted once (PSS); 0 where we may not look."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total / 1024


def written(pid: int) -> int:
    """Bytes that a process has caused to be written to storage; 0 where we may not look."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes")), 0)
