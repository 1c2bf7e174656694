"""What a site's code must not do, found by reading it: interfaces are pure, so that a test, a replay and production mean the same.

Python cannot enforce this; a lookup that is awaited wrongly raises at once, and what can be seen in the source is told here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from isthmus.core import Finding

FORBIDDEN = {
    **dict.fromkeys(("time", "sched"), "take times from the message, never from a clock"),
    **dict.fromkeys(("random", "secrets"), "derive what must be unique from business keys (isthmus.core.derive_id)"),
    **dict.fromkeys(
        (
            "socket",
            "ssl",
            "asyncio",
            "aiohttp",
            "requests",
            "httpx",
            "urllib.request",
            "http.client",
            "smtplib",
            "ftplib",
            "sqlite3",
            "asyncpg",
        ),
        "ask by a Lookup, send by a Delivery; the engine does the I/O",
    ),
    **dict.fromkeys(("subprocess", "threading", "multiprocessing", "concurrent"), "the engine runs what has to be run"),
    **dict.fromkeys(
        ("isthmus.engine", "isthmus.journals", "isthmus.app"), "a site uses isthmus.core, isthmus.formats and the words of connectors"
    ),
}
_CLOCKS = {"now", "utcnow", "today"}


def impure(folder: Path) -> Iterator[Finding]:
    """Every import and every look at the clock that has no place in a site; tests may do what they like."""
    for path in sorted(folder.rglob("*.py")):
        if path.name.startswith(("test_", "conftest")) or "tests" in path.relative_to(folder).parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):
            continue  # the loader tells it
        for node in ast.walk(tree):
            yield from _found(node, str(path.relative_to(folder)))


def _found(node: ast.AST, file: str) -> Iterator[Finding]:
    match node:
        case ast.Import():
            for name in node.names:
                yield from _import(name.name, f"{file}:{node.lineno}")
        case ast.ImportFrom(module=str(module), level=0):
            yield from _import(module, f"{file}:{node.lineno}")
        case ast.Call(func=ast.Attribute(attr=attribute, value=ast.Name(id=name))) if attribute in _CLOCKS and name in ("datetime", "date"):
            yield Finding(f"{file}:{node.lineno}", f"{name}.{attribute}() looks at the clock", FORBIDDEN["time"])
        case _:
            return


def _import(module: str, where: str) -> Iterator[Finding]:
    cure = next((cure for name, cure in FORBIDDEN.items() if module == name or module.startswith(name + ".")), None)
    if cure is not None:
        yield Finding(where, f"imports {module}", cure)
