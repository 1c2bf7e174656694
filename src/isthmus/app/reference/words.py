"""docs/reference/words.md: what the author of an interface may write."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from isthmus import testing
from isthmus.app.reference.docstrings import body_of, doc, field_docs, plain
from isthmus.app.reference.markdown import code, table
from isthmus.connectors import amqp, file, http, kafka, mllp, nats, odoo
from isthmus.core import Classification, Interface, canonical, derive_id, pseudonym, subscribe
from isthmus.formats import cloudevents, hl7v2, jsondoc

_INTRO = """# Words

What the author of an interface may write: reading messages, declaring, sending, asking, testing. How it all fits together is in the
[tutorial](../tutorial/first-interface.md); the interfaces of the reference hospital are there to copy from.

"""
Thing = type[Any] | Callable[..., Any]

_CHAPTERS: tuple[tuple[str, tuple[Thing, ...]], ...] = (
    ("Declare: `isthmus.core`", (Classification, Interface, subscribe, canonical, pseudonym, derive_id)),
    ("Read HL7 v2: `isthmus.formats.hl7v2`", (hl7v2.Hl7, hl7v2.Group, hl7v2.Segment, hl7v2.Field, hl7v2.Contract, hl7v2.rule)),
    ("Read JSON: `isthmus.formats.jsondoc`", (jsondoc.Json, jsondoc.JsonDocument, jsondoc.Contract)),
    (
        "Send to Odoo: `isthmus.connectors.odoo`",
        (odoo.Odoo, odoo.ref, odoo.By, odoo.Xml, odoo.line, odoo.InvoiceLine, odoo.Move, odoo.Product, odoo.Found),
    ),
    ("Send over HTTP: `isthmus.connectors.http`", (http.Http,)),
    ("Send HL7 v2: `isthmus.connectors.mllp`", (mllp.Mllp,)),
    ("Write files: `isthmus.connectors.file`", (file.Folder,)),
    ("Tell other cells: `isthmus.connectors.nats`", (nats.Nats,)),
    ("Tell a broker: `isthmus.connectors.amqp`, `isthmus.connectors.kafka`", (amqp.Amqp, kafka.Kafka)),
    ("Hear other cells: `isthmus.formats.cloudevents`", (cloudevents.Exchange,)),
    ("Test: `isthmus.testing`", (testing.assert_plans, testing.assert_plan, testing.cases, testing.plan_file)),
)
_SPOKEN = ("__getitem__", "__iter__", "__bytes__")
"""Operators that an author uses; the others of a class are its own affair."""


def page() -> str:
    return _INTRO + "".join(f"## {title}\n\n{''.join(map(_entry, things))}" for title, things in _CHAPTERS)


def _entry(thing: Thing) -> str:
    if not isinstance(thing, type):
        return f"### {thing.__name__}\n\n`{_call(_definition(thing))}`\n\n{doc(thing)}\n\n"
    fields = ""
    if issubclass(thing, Struct):
        fields = table(("field", "type", ""), _fields(thing)) + "\n"
    methods = "".join(f"- `{_call(one)}`: {' '.join(text.split())}\n" for one, text in _methods(thing))
    return f"### {thing.__name__}\n\n{doc(thing)}\n\n{fields}" + (methods + "\n" if methods else "")


def _definition(function: Callable[..., Any]) -> ast.FunctionDef:
    """A function as it is written; what Python makes of it differs between its versions."""
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    return next(one for one in found if isinstance(one, ast.FunctionDef))


def _methods(cls: type[Any]) -> Iterator[tuple[ast.FunctionDef, str]]:
    """What an author calls on it, with what is said of it; overloads are told by the one that they stand for."""
    for one in body_of(cls):
        if isinstance(one, ast.FunctionDef) and (not one.name.startswith("_") or one.name in _SPOKEN):
            text = ast.get_docstring(one)
            if text:
                yield one, plain(text)


def _fields(cls: type[Any]) -> list[tuple[str, str, str]]:
    texts = field_docs(cls)
    written = [one for one in body_of(cls) if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    return [
        (code(one.target.id), code(ast.unparse(one.annotation)), texts.get(one.target.id, ""))
        for one in written
        if isinstance(one.target, ast.Name)
    ]


def _call(one: ast.FunctionDef) -> str:
    """``upsert(model, key, values, *, ordering_key='')``: names and defaults; types are in the code."""
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in one.decorator_list):
        return one.name
    taken = one.args
    for argument in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg):
        if argument is not None:
            argument.annotation = None
    words = ast.unparse(taken).removeprefix("self").removeprefix("cls").removeprefix(", ").replace("=_REQUIRED", "=…")
    return _OPERATORS[one.name].format(words) if one.name in _OPERATORS else f"{one.name}({words})"


_OPERATORS = {"__getitem__": "[{}]", "__iter__": "for … in", "__bytes__": "bytes(…)"}
