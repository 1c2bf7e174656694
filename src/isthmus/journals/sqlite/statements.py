"""Named SQL: ``queries/*.sql``, read in this one place. A query begins with ``-- name: its_name``."""

from __future__ import annotations

from functools import cache
from importlib import resources

from isthmus.core.failure import Bug

_MARK = "-- name: "


@cache
def statements() -> dict[str, str]:
    """Every query by its name."""
    found: dict[str, str] = {}
    for file in resources.files("isthmus.journals.sqlite").joinpath("queries").iterdir():
        for part in ("\n" + file.read_text("utf-8")).split("\n" + _MARK)[1:]:
            name, _, text = part.partition("\n")
            if name in found:
                raise Bug("query-twice", f"two queries are named {name}; rename the one in {file.name}")
            found[name] = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    return found
