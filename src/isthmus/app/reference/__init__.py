"""The reference pages, written from the code: `make docs` writes them, `make check` fails when one is stale."""

from isthmus.app.reference.pages import PAGES, stale, write

__all__ = ["PAGES", "stale", "write"]
