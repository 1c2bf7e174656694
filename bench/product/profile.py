"""Where the CPU of a loaded site goes: by thread, and by function in its event loop (cProfile, which makes it about twice as slow).

python -m bench.product.profile [--journal sqlite|postgres] [--connections 32] [--seconds 4] [--lines 40] [--sort tottime]
"""

from __future__ import annotations

import argparse
import pstats
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.product.generation import Generation
from bench.product.process import ROOT, TICKS
from bench.product.site import Sink, Site
from bench.product.store import Postgres, Sqlite

_PROFILED = (
    "import cProfile,sys; from isthmus.app.cli import main; p=cProfile.Profile(); p.runcall(main, sys.argv[2:]); p.dump_stats(sys.argv[1])"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--journal", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--lines", type=int, default=40)
    parser.add_argument("--sort", default="tottime")
    parser.add_argument("--switch", type=float, default=0.0)
    parser.add_argument("--plain", action="store_true", help="only the threads: without cProfile")
    given = parser.parse_args()
    (ROOT / ".cache").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="profile-", dir=ROOT / ".cache"))
    store = Sqlite() if given.journal == "sqlite" else Postgres(folder / "postgres")
    found = folder / "profile"
    program = (
        (sys.executable, "-c", f"import sys; sys.setswitchinterval({given.switch}); from isthmus.app.cli import main; main(sys.argv[1:])")
        if given.switch
        else None
        if given.plain
        else (sys.executable, "-c", _PROFILED, str(found))
    )
    sink = Sink()
    try:
        with sink.child:
            site = Site(store, folder / "site", sink, first=1, program=program)
            with site:
                before, server, begun = _threads(site.pid), store.cpu(), time.monotonic()
                load, _ = Generation(site.port, folder, connections=given.connections, seconds=given.seconds, first=2).run()
                site.drained(1 + load.acked)
                took, after, of_server = time.monotonic() - begun, _threads(site.pid), store.cpu() - server
        print(f"{load.acked} messages in {took:.1f} s ({load.acked / load.seconds:.0f} acks/s), CPU us a message by thread:")
        for thread, (name, seconds) in sorted(after.items(), key=lambda item: -item[1][1]):
            used = seconds - before.get(thread, ("", 0.0))[1]
            if used > 0.01:  # noqa: PLR2004 - a clock tick
                print(f"  {name:16} {used / load.acked * 1e6:8.1f}  ({used / took:.0%} of a core)")
        print(f"  {'database server':16} {of_server / load.acked * 1e6:8.1f}")
        if program and not given.switch:
            pstats.Stats(str(found)).sort_stats(given.sort).print_stats(given.lines)
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)


def _threads(pid: int) -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(") ")
        found[task.name] = name, sum(map(int, rest.split()[11:13])) / TICKS
    return found


if __name__ == "__main__":
    main()
