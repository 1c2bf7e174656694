"""Named SQL: an adapter's ``queries/*.sql``, read in this one place. A query begins with ``-- name: its_name``."""

from __future__ import annotations

from importlib.resources import files

from isthmus.core.failure import Bug

_MARK = "-- name: "


def named_queries(package: str) -> dict[str, str]:
    """Every query of an adapter's package by its name, without its comments; raises ``Bug`` where two have one name."""
    found: dict[str, str] = {}
    for file in files(package).joinpath("queries").iterdir():
        for part in ("\n" + file.read_text("utf-8")).split("\n" + _MARK)[1:]:
            name, _, text = part.partition("\n")
            name = name.strip()
            if name in found:
                raise Bug("query-twice", f"two queries are named {name}; rename the one in {file.name}")
            found[name] = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    return found
