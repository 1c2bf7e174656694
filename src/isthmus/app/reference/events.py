"""docs/reference/events.md: the canonical events."""

from __future__ import annotations

import ast
from types import ModuleType

from isthmus.app.reference.docstrings import body_of, doc, field_docs
from isthmus.app.reference.markdown import code, table
from isthmus.core import Event
from isthmus.core import events as catalogue

_INTRO = """# Events

What can happen, in the hospital's own words. A field that is added with a default keeps the version; any other change makes a new
class with the next version.

"""


def page() -> str:
    modules = [one for one in vars(catalogue).values() if isinstance(one, ModuleType) and one.__name__.startswith(catalogue.__name__ + ".")]
    parts = [_INTRO]
    for module in sorted(modules, key=lambda one: one.__name__):
        found = events_of(module)
        if found:
            parts.append(f"## {module.__name__.rpartition('.')[2].capitalize()}\n\n{doc(module)}\n\n")
            parts += [_event(event) for event in found]
    return "".join(parts)


def events_of(module: ModuleType) -> list[type[Event]]:
    """The events that a module declares."""
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Event) and hasattr(one, "spec") and one.__module__ == module.__name__
    ]


def _event(event: type[Event]) -> str:
    spec, texts = event.spec, field_docs(event)
    facts = f"version {spec.version} · owner {spec.owner} · key {code(', '.join(spec.key))}"
    ordered = f" · ordered by {code(spec.ordered_by)}" if spec.ordered_by else ""
    rows = [(code(name), code(kind), texts.get(name, "")) for name, kind in _fields(event)]
    return f"### {spec.type}\n\n{doc(event)}\n\n{facts}{ordered}\n\n{table(('field', 'type', ''), rows)}\n"


def _fields(event: type[Event]) -> list[tuple[str, str]]:
    """Fields and their types as they are written; what Python makes of them differs between its versions."""
    written = [one for one in body_of(event) if isinstance(one, ast.AnnAssign)]
    return [(one.target.id, ast.unparse(one.annotation)) for one in written if isinstance(one.target, ast.Name)]
