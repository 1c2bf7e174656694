"""Under which conditions a run was made: figures mean nothing without them."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.product.process import ROOT
from bench.product.results import Conditions
from bench.product.store import Store

_LIBRARIES = ("uvloop", "msgspec", "cryptography", "aiohttp", "asyncpg", "hl7")


def conditions(stores: Sequence[Store], folder: Path, before: tuple[float, float], *, seconds: float, note: str) -> Conditions:
    """``before``: :func:`quiet` as it was when the run began."""
    after = quiet(folder)
    return Conditions(
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version("isthmus"),
        commit=commit(),
        changed=bool(_git("status", "--porcelain", "--untracked-files=no", "--", "src", "bench")),
        cpu=_line("/proc/cpuinfo", "model name"),
        cores=len(os.sched_getaffinity(0)),
        memory=round(int(_line("/proc/meminfo", "MemTotal").split()[0]) / 1024**2, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries={name: version(name) for name in _LIBRARIES} | {one.version.split()[0]: one.version.split()[1] for one in stores},
        file_system=file_system(folder),
        sync_before=before[0],
        sync_after=after[0],
        load_before=before[1],
        load_after=after[1],
        seconds=seconds,
        note=note,
    )


def commit() -> str:
    return _git("rev-parse", "--short=12", "HEAD")


def quiet(folder: Path) -> tuple[float, float]:
    """What a sync costs just now (milliseconds, median of 200 appends of 4 kB), and the load average of one minute."""
    path, took = folder / "sync", []
    with path.open("wb") as file:
        for _ in range(200):
            begun = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    path.unlink()
    return sorted(took)[len(took) // 2] * 1e3, os.getloadavg()[0]


def file_system(folder: Path) -> str:
    found = subprocess.run(["stat", "--file-system", "--format", "%T", str(folder)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _line(file: str, name: str) -> str:
    lines = Path(file).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "0 unknown")
