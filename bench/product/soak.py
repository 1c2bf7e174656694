"""A long load with the memory sampled each second: does the engine stay as large as it is?

    python -m bench.product.soak [--messages 1000000] [--minutes 60] [--journal sqlite|postgres] [--connections 32] [--name NAME] [--folder DIR]

Loads the site of the benchmark until so many messages are acknowledged (or the time is over), drains it, accounts for every one of them, and says how much
memory the engine's process took for each 100,000 messages more, once it had warmed up. Results go to ``bench/results/<NAME>.json``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from bench.product.accounting import account
from bench.product.conditions import conditions, quiet
from bench.product.generation import Generation
from bench.product.loads import Ledger, read_numbers
from bench.product.process import ROOT, memory
from bench.product.results import Soak
from bench.product.site import Sink, Site
from bench.product.store import Postgres, Sqlite

WINDOW = 20.0
"""Seconds of each of the loads that follow one another."""
WARM = 0.2
"""The first part of the messages, during which caches and pools fill."""
KEPT = 240
"""Samples that are kept."""


class Watch:
    """Samples the memory of a process each second, in a thread."""

    def __init__(self, pid: int, sink: Sink) -> None:
        self.samples: list[tuple[float, int, float]] = []
        """Seconds, messages delivered by then, MB."""
        self._pid, self._sink = pid, sink
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        begun = time.monotonic()
        while not self._over.wait(1.0):
            self.samples.append((time.monotonic() - begun, self._sink.count().delivered, memory(self._pid, "VmRSS")))

    def end(self) -> list[tuple[float, int, float]]:
        self._over.set()
        self._thread.join()
        return self.samples


def slope(samples: list[tuple[float, int, float]]) -> float:
    """MB for each 100,000 messages: the line of least squares through what comes after the warming up."""
    most = samples[-1][1] if samples else 0
    points = [(messages / 1e5, mb) for _, messages, mb in samples if messages >= WARM * most]
    if len(points) < 3:  # noqa: PLR2004 - two points are a line whatever they say
        return 0.0
    middle = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    spread = sum((x - middle[0]) ** 2 for x, _ in points)
    return sum((x - middle[0]) * (y - middle[1]) for x, y in points) / spread if spread else 0.0


def main() -> int:
    given = _arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=given.folder))
    store = Sqlite() if given.journal == "sqlite" else Postgres(folder / "postgres")
    before = quiet(folder)
    sink = Sink()
    ledgers: list[Ledger] = []
    begun = time.monotonic()
    try:
        with sink.child:
            site = Site(store, folder / "site", sink, first=1)
            with site:
                watch = Watch(site.pid, sink)
                acked = 0
                while acked < given.messages and time.monotonic() - begun < given.minutes * 60:
                    first = 2 + sum(len(one.patients) for one in ledgers)
                    load, ledger = Generation(site.port, folder, connections=given.connections, seconds=WINDOW, first=first).run()
                    ledgers.append(ledger)
                    acked += load.acked
                    _say(f"{acked} acknowledged ({load.acked / load.seconds:.0f}/s), {memory(site.pid, 'VmRSS'):.0f} MB")
                site.drained(1 + acked)
                took = time.monotonic() - begun
                samples = watch.end()
                sink.dump(folder / "numbers")
        found = Soak(
            conditions=conditions([store], folder, before, seconds=WINDOW, note=given.note),
            system=given.journal,
            connections=given.connections,
            seconds=took,
            slope=slope(samples),
            samples=tuple(samples[:: max(1, len(samples) // KEPT)]),
            account=account(ledgers, read_numbers(folder / "numbers"), probes=(site.probe,)),
        )
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
    path = ROOT / "bench" / "results" / f"{given.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    _say(f"{found.account}")
    _say(
        f"{found.slope:+.2f} MB for each 100,000 messages; {samples[0][2]:.0f} MB at first, {max(one[2] for one in samples):.0f} MB at most"
    )
    return 0 if found.account.holds else 1


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.product.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=60.0, help="end earlier, after so long (default: %(default)s)")
    parser.add_argument("--journal", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--name", default=f"soak-{datetime.now(UTC):%Y-%m-%d}")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--note", default="")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
