"""Page: a run of drills as one HTML file that needs nothing else. Readable by eye and by screen reader, in the light and in the dark."""

from __future__ import annotations

from html import escape

from isthmus.app.drill.catalogue import DRILLS
from isthmus.app.drill.report import CourseReport, DrillReport, Verdict

_MARKS: dict[Verdict, str] = {"passed": "✓", "failed": "✗", "did not hurt": "○", "left out": "–"}  # noqa: RUF001 - a dash is meant
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --good: #116329; --bad: #a40e26;
  --odd: #7d4e00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #3d444d; --good: #56d364;
  --bad: #ff7b72; --odd: #e3b341 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 72rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2rem 0 .25rem } p { margin: .25rem 0 } .soft { color: var(--soft) }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top } td.n, th.n { text-align: right }
.passed { color: var(--good) } .failed { color: var(--bad) } .did-not-hurt { color: var(--odd) } .left-out { color: var(--soft) }
code { font: .9em ui-monospace, monospace } ul { margin: .25rem 0 } a { color: inherit }
"""
_HEAD = (
    "drill",
    "verdict",
    "detected",
    "contained",
    "recovered",
    "acknowledged",
    "arrived",
    "waiting",
    "dead",
    "lost",
    "doubled",
    "reordered",
)


def page(report: CourseReport) -> str:
    """The whole document."""
    title = f"Failure drills of {escape(report.site)}"
    told = "passed" if report.passed else "failed"
    rows = "".join(_row(one) for one in report.drills)
    head = "".join(f'<th scope="col"{_n(number)}>{name}</th>' for number, name in enumerate(_HEAD))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f'<p>The whole run <strong class="{told}">{told}</strong>. Journal: {report.journal}. Isthmus {escape(report.version)}. '
        f"Again: <code>isthmus drill … --seed {escape(report.seed)}</code></p>\n"
        f'<p class="soft">Times are seconds: from the beginning of a fault to our first sign of it, and until it could do no more harm; '
        f"from the healing until all that had piled up was worked off. Every message is counted by its id, from its sender to its effect.</p>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="All drills"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{rows}</tbody>\n</table></div>\n{''.join(_section(one) for one in report.drills)}</main>\n</body>\n</html>\n"
    )


def _row(one: DrillReport) -> str:
    account = one.account
    cells = [_seconds(one.detection), _seconds(one.containment), _seconds(one.recovery)]
    if account is None:
        cells += [""] * 7
    else:
        wrong = (account.lost, account.doubled, account.reordered)
        cells += [f"{number:,}" for number in (account.acknowledged, account.arrived, account.waiting, account.dead, *map(len, wrong))]
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row"><a href="#{one.name}">{one.name}</a></th><td>{_verdict(one)}</td>{numbers}</tr>\n'


def _section(one: DrillReport) -> str:
    drill = DRILLS.get(one.name)
    lines = [f'<h2 id="{one.name}">{escape(one.name)}: {escape(one.title)}</h2>', f"<p>{_verdict(one)} {escape(one.why)}</p>"]
    if drill is not None:
        lines.append(f'<p class="soft">{escape(drill.words)}</p>')
    if one.hurt:
        lines.append(f"<p>How it hurt: {escape(one.hurt)}.</p>")
    if one.sign:
        lines.append(f"<p>First sign: <code>{escape(one.sign)}</code></p>")
    account = one.account
    if account is not None:
        if account.reasons:
            reasons = ", ".join(f"{count} {escape(reason)}" for reason, count in account.reasons.items())
            lines.append(f"<p>Dead letters by reason: {reasons}.</p>")
        for name, ids in (
            ("Lost", account.lost),
            ("Doubled", account.doubled),
            ("Reordered", account.reordered),
            ("Strange", account.strange),
        ):
            if ids:
                lines.append(f'<p class="failed">{name}:</p><ul>{"".join(f"<li><code>{escape(each)}</code></li>" for each in ids)}</ul>')
    return f"<section>\n{chr(10).join(lines)}\n</section>\n"


def _verdict(one: DrillReport) -> str:
    return f'<strong class="{one.verdict.replace(" ", "-")}"><span aria-hidden="true">{_MARKS[one.verdict]}</span> {one.verdict}</strong>'


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _n(number: int) -> str:
    return ' class="n"' if number > 1 else ""
