"""docs/reference/errors.md: every reason code in the code, what happens next, and its text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from isthmus.app.reference.markdown import code, table

NEXT = {
    "Invalid": "the sender's fault: the message is kept, quarantined and refused with place, rule and cure",
    "Transient": "it may work later: tried again by policy",
    "Retry": "it surely had no effect: tried again by policy",
    "Unknown": "nobody knows whether it had an effect: checked before it is tried again",
    "Rejected": "it would be refused again: dead letter, or the command ends; a person decides",
    "Reject": "the receiver said no: dead letter, a person decides",
    "Bug": "ours or the site's code: what met it stops where it is, its owner is paged",
}
_INTRO = """# Reason codes

Whose fault a failure is decides what happens next. Codes are stable and counted; texts name the place, the rule and the cure, and hold
nothing of a message. `…` stands for what is filled in.

"""


class Code(NamedTuple):
    """One reason code where it is raised."""

    fault: str
    code: str
    text: str
    module: str


def page() -> str:
    parts = [_INTRO]
    for fault, what in NEXT.items():
        rows = sorted({(code(one.code), one.text, one.module) for one in codes() if one.fault == fault})
        if rows:
            parts.append(f"## {fault}\n\n{what[0].upper()}{what[1:]}.\n\n{table(('code', 'text', 'where'), rows)}\n")
    return "".join(parts)


@cache
def codes() -> tuple[Code, ...]:
    """Every failure and outcome that the package builds with a constant code."""
    root = Path(str(files("isthmus")))
    return tuple(found for path in sorted(root.rglob("*.py")) if "reference" not in path.parts for found in _in(path, root))


def _in(path: Path, root: Path) -> Iterator[Code]:
    module = ".".join(path.relative_to(root).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NEXT and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield Code(node.func.id, first.value, _text(node.args[1]) if len(node.args) > 1 else "", module)


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        case ast.BinOp():
            return _text(node.left) + _text(node.right)
        case _:
            return "…"
