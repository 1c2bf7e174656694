"""The named queries of this adapter."""

from __future__ import annotations

from functools import cache

from isthmus.journals.queries import named_queries


def statement(name: str) -> str:
    return _statements()[name]


@cache
def _statements() -> dict[str, str]:
    return named_queries("isthmus.journals.postgres")
