"""Small pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars and line ends in cells are escaped. Columns that are empty everywhere are left out."""
    lines = [[cell(one) for one in row] for row in rows]
    if not lines:
        return ""
    kept = [index for index in range(len(head)) if index == 0 or any(row[index] for row in lines)]
    shown = [[row[index] for index in kept] for row in ([cell(one) for one in head], ["---"] * len(head), *lines)]
    return "".join("| " + " | ".join(row) + " |\n" for row in shown)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def code(text: str) -> str:
    """Inline code; nothing for nothing."""
    return f"`{text}`" if text else ""
