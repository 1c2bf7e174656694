"""The named queries of this adapter."""

from __future__ import annotations

from functools import cache

from isthmus.journals.queries import named_queries


@cache
def statements() -> dict[str, str]:
    """Every query by its name."""
    return named_queries("isthmus.journals.sqlite")
