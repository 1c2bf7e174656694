"""Named queries: every statement lies in ``queries/*.sql`` under a line ``-- name: …`` and is read from there only."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def statement(name: str) -> str:
    return _statements()[name]


@cache
def _statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted((files("isthmus.journals.postgres") / "queries").iterdir(), key=lambda one: one.name):
        for part in file.read_text("utf-8").split("-- name: ")[1:]:
            name, _, sql = part.partition("\n")
            found[name.strip()] = sql.strip()
    return found
