"""From results to what people read: a line of progress, the table on the terminal, the page of the documentation. Pure.

The page is generated, never typed: ``python -m bench.product.report bench/results/NAME.json`` writes it, a test compares it.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from bench.product.results import Profile, Results, Round, Run, Soak

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "explanation" / "performance.md"
RESULTS = PAGE.parent.parent.parent / "bench" / "results"
NAMES = {
    "sqlite": "Isthmus, SQLite",
    "postgres": "Isthmus, PostgreSQL",
    "bare": "MLLP source alone",
    "hl7": "python-hl7's server",
}


def median(run: Run, what: str) -> float:
    """Of the rounds of one run."""
    return float(statistics.median(getattr(one, what) for one in run.rounds))


def line(run: Run) -> str:
    """One run in one line, for the terminal while it goes on."""
    said = f"{NAMES[run.system]}, {run.connections} x {run.mean_bytes} B: {median(run, 'acks_per_s'):.0f} acks/s"
    said += f", p50 {median(run, 'p50'):.2f} p99 {median(run, 'p99'):.1f} ms"
    if run.account is None:
        return said
    return (
        f"{said}, {median(run, 'delivered_per_s'):.0f} delivered/s, {median(run, 'cpu'):.3f} CPU-s/1000, {run.rss:.0f} MB,"
        f" ready {run.ready:.2f} s, {verdict(run)}"
    )


def verdict(run: Run) -> str:
    """The accounting in words."""
    one = run.account
    if one is None:
        return ""
    if one.holds:
        return "all accounted for"
    return f"LOST {one.lost}, DOUBLED {one.doubled}, FOREIGN {one.foreign}, OUT OF ORDER {one.out_of_order}"


def text(results: Results) -> str:
    """The table for a terminal."""
    head = ("system", "conn", "bytes", "acks/s", "p50 ms", "p99 ms", "p999", "delivered/s", "CPU-s/1000", "MB", "ready s", "accounting")
    rows = [
        (
            NAMES[run.system], f"{run.connections}", f"{run.mean_bytes}", f"{median(run, 'acks_per_s'):.0f}", f"{median(run, 'p50'):.2f}",
            f"{median(run, 'p99'):.1f}", f"{median(run, 'p999'):.1f}", *_durable(run), verdict(run),
        )
        for run in ordered(results.runs)
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column in (0, 11) else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in (head, *rows)
    ) + "\n"  # fmt: skip


def ordered(runs: Iterable[Run]) -> list[Run]:
    """System by system, then by the number of connections; what is large comes last."""
    systems = list(NAMES)
    return sorted(runs, key=lambda run: (run.mix == "large", systems.index(run.system), run.connections))


def _durable(run: Run) -> tuple[str, str, str, str]:
    if run.account is None:
        return "", f"{median(run, 'cpu'):.3f}", f"{run.rss:.0f}", ""
    return f"{median(run, 'delivered_per_s'):.0f}", f"{median(run, 'cpu'):.3f}", f"{run.rss:.0f}", f"{run.ready:.2f}"


def page(results: Results, name: str) -> str:
    """docs/explanation/performance.md."""
    from bench.product import performance_page

    return performance_page.page(results, name, soaks(), profiles())


def load(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)


def load_soak(path: Path) -> Soak:
    return msgspec.json.decode(path.read_bytes(), type=Soak)


def profiles() -> list[Profile]:
    """The newest of each system."""
    found = {
        one.system: one
        for path in sorted(RESULTS.glob("profile-*.json"))
        for one in (msgspec.json.decode(path.read_bytes(), type=Profile),)
    }
    return list(found.values())


def soaks() -> list[tuple[str, Soak]]:
    """The newest of each system, by name."""
    found = {one.system: (path.name, one) for path in sorted(RESULTS.glob("soak-*.json")) for one in (load_soak(path),)}
    return list(found.values())


def spread(rounds: Sequence[Round], what: str) -> tuple[float, float]:
    """The least and the most of the rounds."""
    values = [getattr(one, what) for one in rounds]
    return min(values), max(values)


def main() -> int:
    path = Path(sys.argv[1])
    PAGE.write_text(page(load(path), path.name))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
