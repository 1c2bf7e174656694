"""Which pages there are, and whether those in a folder are fresh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from isthmus.app.reference import cli, configuration, counters, errors, events, exit_codes, policy, words

_HEAD = "<!-- Written by `make docs` from the code. Do not edit. -->\n"

PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli.page,
    "configuration.md": configuration.page,
    "counters.md": counters.page,
    "errors.md": errors.page,
    "events.md": events.page,
    "exit-codes.md": exit_codes.page,
    "policy.md": policy.page,
    "words.md": words.page,
}


def write(folder: Path) -> list[str]:
    """Write every page; returns the names of those that changed."""
    changed = stale(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        (folder / name).write_text(_HEAD + PAGES[name](), encoding="utf-8")
    return changed


def stale(folder: Path) -> list[str]:
    """Names of the pages that are missing, or differ from what the code says."""

    def is_fresh(name: str, page: Callable[[], str]) -> bool:
        path = folder / name
        return path.is_file() and path.read_text(encoding="utf-8") == _HEAD + page()

    return [name for name, page in PAGES.items() if not is_fresh(name, page)]
