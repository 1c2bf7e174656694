"""Driving the load generator, from outside."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bench.product.loads import Ledger, Load, read
from bench.product.messages import Mix
from bench.product.process import python


class Generation:
    """One load: all connections are made at once, nothing is sent before ``run``."""

    def __init__(self, port: int, folder: Path, *, connections: int, seconds: float, first: int, mix: Mix = "usual") -> None:
        self._file = folder / "ledger"
        self._seconds = seconds
        words = ("--connections", connections, "--seconds", seconds, "--first", first, "--seed", first, "--mix", mix)
        self._child = python("bench.product.generator", "--port", port, "--out", self._file, *words)
        try:
            self._child.line(20)
        except TimeoutError:
            self._child.end()
            raise

    def run(self) -> tuple[Load, Ledger]:
        """Send until the time is over; returns when all is answered."""
        with self._child:
            self._child.tell("go")
            load = msgspec.json.decode(self._child.line(self._seconds + 60), type=Load)
        return load, read(self._file)
