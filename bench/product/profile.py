"""Where the CPU of a loaded site goes: by thread, and by part of the product in its event loop.

    python -m bench.product.profile [--journal sqlite|postgres] [--connections 32] [--seconds 4] [--lines 40] [--sort tottime] [--name NAME]

Loads the site twice: once as it is, for the threads; once under cProfile, which makes it about twice as slow, for the shares. ``--name`` keeps them in
``bench/results/<NAME>.json`` (``profile-…``), from where the page on performance has them.
"""

from __future__ import annotations

import argparse
import pstats
import shutil
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from bench.product.conditions import commit
from bench.product.generation import Generation
from bench.product.loads import Load
from bench.product.process import ROOT, TICKS
from bench.product.results import Profile
from bench.product.site import Sink, Site
from bench.product.store import Postgres, Sqlite, Store

_PROFILED = (
    "import cProfile,sys; from isthmus.app.cli import main; p=cProfile.Profile(); p.runcall(main, sys.argv[2:]); p.dump_stats(sys.argv[1])"
)
_PARTS = (
    ("isthmus/formats/", "HL7 v2: reading, checking, answering"),
    ("isthmus/connectors/mllp/", "MLLP connections"),
    ("isthmus/connectors/http/", "HTTP deliveries"),
    ("isthmus/engine/", "the engine's loops"),
    ("isthmus/core/", "planning: ids, events, deliveries"),
    ("isthmus/journals/", "the journal, as far as it runs in the loop"),
    ("bench/site/", "the site's own functions"),
)
OTHER = "Python itself: asyncio, built-in functions"
LOOP = "the event loop: sockets, waiting for the interpreter lock, idling"


def main() -> None:
    given = _arguments()
    (ROOT / ".cache").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="profile-", dir=ROOT / ".cache"))
    store = Sqlite() if given.journal == "sqlite" else Postgres(folder / "postgres")
    try:
        load, threads = _loaded(given, folder, store, ())
        print(f"{load.acked} messages, {load.acks_per_s:.0f} acks/s; CPU us a message:")
        for thread, used in threads.items():
            print(f"  {thread:28} {used:8.1f}")
        profiled = folder / "profile"
        _loaded(given, folder, store, (sys.executable, "-c", _PROFILED, str(profiled)))
        stats = pstats.Stats(str(profiled))
        shares = _shares(stats)
        for part, share in sorted(shares.items(), key=lambda item: -item[1]):
            print(f"  {part:72} {share:6.1%}")
        stats.sort_stats(given.sort).print_stats(given.lines)
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
    if given.name:
        found = Profile(
            at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            commit=commit(),
            system=given.journal,
            connections=given.connections,
            messages=load.acked,
            acks_per_s=load.acks_per_s,
            threads=threads,
            shares=shares,
            note=given.note,
        )
        path = ROOT / "bench" / "results" / f"{given.name}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def _loaded(given: argparse.Namespace, folder: Path, store: Store, program: tuple[str, ...]) -> tuple[Load, dict[str, float]]:
    """The load, and the CPU microseconds that each thread took for a message of it."""
    sink = Sink()
    with sink.child:
        site = Site(store, folder / "site", sink, first=1, program=program or None)
        with site:
            before, server = _threads(site.pid), store.cpu()
            load, _ = Generation(site.port, folder, connections=given.connections, seconds=given.seconds, first=2).run()
            site.drained(1 + load.acked)
            after, of_server = _threads(site.pid), store.cpu() - server
    used = sorted((seconds - before.get(thread, 0.0) for thread, seconds in after.items()), reverse=True)
    named = {
        f"thread {number}" if number > 1 else "event loop": one / load.acked * 1e6 for number, one in enumerate(used, 1) if one > 1 / TICKS
    }
    return load, named | ({"database server": of_server / load.acked * 1e6} if of_server else {})


def _threads(pid: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        found[task.name] = sum(map(int, (task / "stat").read_text().rpartition(") ")[2].split()[11:13])) / TICKS
    return found


def _shares(stats: pstats.Stats) -> dict[str, float]:
    """Own time by part; what was imported or compiled at the start is left out."""
    spent: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]  # documented, not in the stubs
        if "importlib" in file or name in {"<module>", "<built-in method builtins.compile>", "<built-in method marshal.loads>"}:
            continue
        part = next((said for path, said in _PARTS if path in file), LOOP if file.endswith("runners.py") else OTHER)
        spent[part] += own
    total = sum(spent.values()) or 1.0
    return {part: own / total for part, own in spent.most_common()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.product.profile", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--journal", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--lines", type=int, default=0, help="functions to print as well")
    parser.add_argument("--sort", default="tottime")
    parser.add_argument("--name", default="", help="keep the figures under this name")
    parser.add_argument("--note", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
