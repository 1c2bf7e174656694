"""What a run of drills looks like on a terminal: a line that lives while one is done, and a line for each that is over."""

from __future__ import annotations

import shutil

from isthmus.app.cli.terminal import Terminal
from isthmus.app.drill.report import CourseReport, DrillReport, Verdict

_STYLES: dict[Verdict, str] = {"passed": "green", "failed": "red", "did not hurt": "yellow", "left out": "dim"}
_SHOWN = 12
"""Ids of each kind that are shown; all of them stand in the JSON form."""


class Telling:
    """Who is told while drills go on."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._live = terminal.interactive
        self._name = ""

    def begin(self, site: str, seed: str, drills: int) -> None:
        what = "one drill" if drills == 1 else f"{drills} drills"
        self._terminal.line(f"{what} of {site}, in a sandbox; nothing real is touched. Seed {seed}", "bold")
        self._terminal.out.flush()

    def starts(self, name: str) -> None:
        self._name = name

    def goes(self, text: str) -> None:
        """What is going on just now."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._terminal.out.write(f"\r\x1b[K{f'{self._name:<17}{text} …'[:width]}")
            self._terminal.out.flush()

    def over(self, report: DrillReport) -> None:
        """One line, and the ids of whatever is wrong below it."""
        if self._live:
            self._terminal.out.write("\r\x1b[K")
        self._terminal.line(line_of(report, self._terminal))
        for text in _findings(report):
            self._terminal.line(f"    {text}", "red")
        self._terminal.out.flush()


def line_of(report: DrillReport, terminal: Terminal) -> str:
    verdict = terminal.style(f"{report.verdict:<13}", _STYLES[report.verdict])
    parts = [f"{report.name:<16} {verdict}"]
    if report.why:
        parts.append(report.why)
    if report.hurt:
        parts.append(f"hurt: {report.hurt}")
    if report.verdict != "left out":
        times = (("detected", report.detection), ("contained", report.containment), ("recovered", report.recovery))
        parts.append(", ".join(f"{name} {_seconds(value)}" for name, value in times))
    account = report.account
    if account is not None:
        counts = f"{account.acknowledged} acknowledged, {account.arrived} arrived, {account.waiting} waiting, {account.dead} dead"
        wrong = f"{len(account.lost)} lost, {len(account.doubled)} doubled, {len(account.reordered)} reordered"
        parts += [counts, terminal.style(wrong, "" if account.sound else "red") if not account.sound else wrong]
    parts.append(f"took {report.seconds:.0f} s, seed {report.seed}" if report.seconds else f"seed {report.seed}")
    return f"{parts[0]} {'; '.join(parts[1:])}"


def tell_end(report: CourseReport, terminal: Terminal) -> None:
    counts = {verdict: sum(one.verdict == verdict for one in report.drills) for verdict in _STYLES}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    terminal.line(f"\n{summary}. Again: isthmus drill … --seed {report.seed}", "green" if report.passed else "red")


def _findings(report: DrillReport) -> list[str]:
    if report.account is None:
        return []
    found: list[str] = []
    account = report.account
    for name, ids in (("lost", account.lost), ("doubled", account.doubled), ("reordered", account.reordered), ("strange", account.strange)):
        found += [f"{name}: {one}" for one in ids[:_SHOWN]]
        if len(ids) > _SHOWN:
            found.append(f"{name}: and {len(ids) - _SHOWN} more; --json tells all")
    if report.kept:
        found.append(f"its sandbox is kept in {report.kept}")
    return found


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
