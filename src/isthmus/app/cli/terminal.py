"""Where a command writes: coloured on a terminal, plain when piped, and JSON where asked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from isthmus.app.exits import Exit
from isthmus.core import Finding

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[\d,.]*")
_MARKUP = re.compile(r"\x1b\[[0-9;]*m")


class CommandError(Exception):
    """A command cannot go on: what is wrong and what to do, in one clear paragraph."""

    def __init__(self, problem: str, cure: str = "", *, exit: Exit = Exit.USAGE, findings: Sequence[Finding] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure
        self.exit = exit
        self.findings = tuple(findings)


class Terminal:
    """Standard output and error, and what they can show."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.environment = os.environ if environment is None else environment
        self.interactive = self.out.isatty()
        plain = self.environment.get("NO_COLOR") or self.environment.get("TERM") == "dumb"
        self.color = not plain and (self.interactive or bool(self.environment.get("FORCE_COLOR")))

    def style(self, text: str, *styles: str) -> str:
        """The text in these styles where colours are shown."""
        if not self.color or not styles or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[one] for one in styles)}m{text}\x1b[0m"

    def line(self, text: str = "", *styles: str) -> None:
        self.out.write(self.style(text, *styles) + "\n")

    def json(self, value: Any) -> None:
        """One JSON document, indented; keys are a promise to scripts."""
        import msgspec  # noqa: PLC0415 - only where JSON is asked for

        self.out.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns as wide as what they hold, never cut, numbers to the right; the same in a pipe and on a terminal.

        A column whose name ends with ``?`` is left out where it holds nothing but noughts.
        """
        everything = list(zip(head, *([str(cell) for cell in row] for row in rows), strict=True))
        shown = [column for column in everything if not column[0].endswith("?") or any(cell not in ("0", "") for cell in column[1:])]
        head, *lines = [list(line) for line in zip(*((column[0].rstrip("?"), *column[1:]) for column in shown), strict=True)]
        columns = [[line[index] for line in lines] for index in range(len(head))]
        widths = [max(width(cell) for cell in (name, *column)) for name, column in zip(head, columns, strict=True)]
        right = [bool(column) and all(_NUMBER.fullmatch(_MARKUP.sub("", cell)) for cell in column) for column in columns]

        def line(cells: Sequence[str]) -> str:
            return "  ".join(pad(cell, size, right=flag) for cell, size, flag in zip(cells, widths, right, strict=True)).rstrip()

        self.line(line(head), "dim")
        for row in lines:
            self.line(line(row))

    def finding(self, finding: Finding, *, style: str = "red") -> None:
        """Where, what, and the cure below it."""
        self.line(f"{self.style(finding.where, 'bold')}: {self.style(finding.problem, style)}")
        if finding.cure:
            self.line(f"    {finding.cure}", "dim")

    def error(self, error: CommandError) -> None:
        """To standard error: what is wrong, every finding, the cure."""
        self.err.write(self._on_error(f"isthmus: {error.problem}", "31") + "\n")
        for one in error.findings:
            self.err.write(f"  {one.where}: {one.problem}\n      {one.cure}\n")
        if error.cure:
            self.err.write(f"  {error.cure}\n")

    def note(self, text: str) -> None:
        """A remark that is no result: to standard error, so that a pipe gets results only."""
        self.out.flush()
        self.err.write(text + "\n")

    def confirm(self, question: str) -> bool:
        """Ask a person; nobody there to answer means no."""
        if not sys.stdin.isatty():
            return False
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _on_error(self, text: str, code: str) -> str:
        shown = self.err.isatty() and not self.environment.get("NO_COLOR")
        return f"\x1b[{code}m{text}\x1b[0m" if shown else text


def width(text: str) -> int:
    """How many columns a text takes, without its colours."""
    return len(_MARKUP.sub("", text))


def pad(text: str, size: int, *, right: bool = False) -> str:
    blanks = " " * (size - width(text))
    return blanks + text if right else text + blanks


def printable(text: str) -> str:
    """Text from a message, made harmless for a terminal: control characters become visible."""
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
