"""Measure the product and its peers in one run, print a table, keep the figures: ``make bench``, ``make bench ARGS=--quick``.

    python -m bench.product [--quick] [--only sqlite,postgres,bare,hl7] [--connections 1,8,32,128] [--rounds N] [--seconds S]
                            [--name NAME] [--folder DIR] [--note TEXT] [--page]

Results go to ``bench/results/<NAME>.json`` (NAME: the date). ``--page`` writes docs/explanation/performance.md from them as well.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
from bench.product import report
from bench.product.conditions import conditions, file_system, quiet
from bench.product.measure import Plan, listening, syncs, whole_way
from bench.product.process import ROOT
from bench.product.results import Results, Run, Syncs, System
from bench.product.store import Postgres, Sqlite, Store

RESULTS = ROOT / "bench" / "results"
PEER_SECONDS = 2.0
LARGE_AT = 8
"""Connections of the run with 10 kB messages."""
COUNTED_SECONDS = 2.0
"""Load during which system calls are counted."""
DISKLESS = {"tmpfs", "ramfs"}


def main() -> int:
    given = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=_made(given.folder)))
    if file_system(folder) in DISKLESS:
        _say(f"{folder} is in memory: nothing is really synced there; name a folder on a disk by --folder")
    stores: dict[str, Store] = {}
    try:
        if "sqlite" in given.only:
            stores["sqlite"] = Sqlite()
        if "postgres" in given.only:
            _say("starting a private PostgreSQL …")
            stores["postgres"] = Postgres(folder / "postgres")
        before = quiet(folder)
        runs = tuple(_runs(given, folder, stores))
        counted = tuple(_syncs(given, folder, stores))
        made = Results(
            conditions=conditions(list(stores.values()), folder, before, seconds=given.seconds, note=given.note), runs=runs, syncs=counted
        )
    finally:
        for store in stores.values():
            store.close()
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{given.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    sys.stdout.write("\n" + report.text(made) + f"\nkept in {path.relative_to(ROOT)}\n")
    if given.page:
        report.PAGE.write_text(report.page(made, path.name))
        _say(f"wrote {report.PAGE.relative_to(ROOT)}")
    return 0 if all(run.account is None or run.account.holds for run in made.runs) else 1


def _runs(given: argparse.Namespace, folder: Path, stores: dict[str, Store]) -> Iterator[Run]:
    """Connection count by connection count, all systems after each other, so that a noisy minute hits them alike."""
    for connections in given.connections:
        plan = Plan(connections=connections, rounds=given.rounds, seconds=given.seconds)
        for store in stores.values():
            yield _told(whole_way(folder, store, plan))
        for which in ("bare", "hl7"):
            if which in given.only:
                yield _told(listening(folder, which, Plan(connections=connections, rounds=1, seconds=min(PEER_SECONDS, given.seconds))))
    if not given.quick:
        for store in stores.values():
            yield _told(whole_way(folder, store, Plan(connections=LARGE_AT, rounds=given.rounds, seconds=given.seconds, mix="large")))


def _syncs(given: argparse.Namespace, folder: Path, stores: dict[str, Store]) -> Iterator[Syncs]:
    """PostgreSQL counts its own syncs, so only SQLite's are counted from outside."""
    if "sqlite" in stores:
        for connections in given.connections[:: 1 if given.quick else 2]:
            found = syncs(folder, stores["sqlite"], Plan(connections=connections, rounds=1, seconds=COUNTED_SECONDS))
            if found is None:
                _say("system calls are not counted: install strace to see them")
                return
            _say(f"sqlite, {connections} connections: {found.fsyncs} syncs for {found.messages} messages")
            yield found


def _told(run: Run) -> Run:
    _say(report.line(run))
    return run


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _arguments() -> argparse.Namespace:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m bench.product", description=summary)
    parser.add_argument("--quick", action="store_true", help="under a minute: 1 and 32 connections, one short round each")
    parser.add_argument("--only", default=",".join(get_args(System)), help="which systems (default: %(default)s)")
    parser.add_argument("--connections", default="", help="counts of connections (default: 1,8,32,128)")
    parser.add_argument("--rounds", type=int, default=0, help="loads of each site; the median counts (default: 3)")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each load takes (default: 4)")
    parser.add_argument("--name", default="", help="name of the results (default: the date)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".cache" / "bench",
        help="where journals lie: on the disk that is meant (default: .cache/bench)",
    )
    parser.add_argument("--note", default="", help="what a reader must know of the machine at that time")
    parser.add_argument("--page", action="store_true", help="write docs/explanation/performance.md too")
    given = parser.parse_args()
    given.only = given.only.split(",")
    given.connections = [int(one) for one in (given.connections or ("1,32" if given.quick else "1,8,32,128")).split(",")]
    given.rounds = given.rounds or (1 if given.quick else 3)
    given.seconds = given.seconds or (2.0 if given.quick else 4.0)
    given.name = given.name or f"{datetime.now(UTC):%Y-%m-%d}{'-quick' if given.quick else ''}"
    return given


if __name__ == "__main__":
    raise SystemExit(main())
