"""What the code says about itself: the text below a field, and the first paragraphs of a docstring."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any


def body_of(cls: type[Any]) -> list[ast.stmt]:
    """The statements of a class, as they are written."""
    written = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    return [statement for one in written.body if isinstance(one, ast.ClassDef) for statement in one.body]


def field_docs(cls: type[Any]) -> dict[str, str]:
    """The string that stands below each field of a class, as this project writes them."""
    body = body_of(cls)
    found: dict[str, str] = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                found[field.target.id] = plain(text)
    return found


def doc(thing: object) -> str:
    """A docstring without its indentation."""
    return plain(inspect.getdoc(thing) or "")


def plain(text: str) -> str:
    """Without the marks that only reStructuredText knows."""
    return inspect.cleandoc(text).replace(":func:", "").replace(":class:", "").replace(":meth:", "").replace("``", "`")
