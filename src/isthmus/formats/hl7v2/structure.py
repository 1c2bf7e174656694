"""Structure: the order of a message's segments, in the standard's abstract message syntax (HL7 v2.5.1 chapter 2, "chapter formats").

``MSH EVN PID [PD1] [{NK1}] PV1`` — ``[ ]`` may be absent, ``{ }`` may repeat, ``< | >`` one of these; groups nest. Z segments may stand
anywhere (§2.11) and are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.failure import Bug

_TOKEN = re.compile(r"\s*([\[\]{}<>|]|[A-Z][A-Z0-9]{2})")
_CLOSING = {"[": "]", "{": "}", "<": ">"}


class Node(Struct):
    """A segment (``name``) or a group (``parts``)."""

    name: str = ""
    parts: list[Node] = []
    choice: bool = False
    optional: bool = False
    repeating: bool = False
    first: frozenset[str] = frozenset()
    """The segments with which it can begin."""


class Structure:
    """One structure, read once. Raises ``Bug`` where the notation is broken."""

    def __init__(self, text: str) -> None:
        tokens = _TOKEN.findall(text)
        if _TOKEN.sub("", text).strip():
            raise Bug("structure", "write segments' names and [ ], { }, < | > only, such as MSH EVN PID [{NK1}] PV1")
        self._names: set[str] = {token for token in tokens if token.isalnum()}
        tokens.reverse()
        self._top = Node(parts=_read(tokens, ""))
        _find_first(self._top)

    def check(self, names: Sequence[str]) -> Iterator[Violation]:
        """What is missing, out of its place or unknown, for the names of a message's segments in their order."""
        seen: dict[str, int] = {}
        known: list[tuple[str, str]] = []  # name and place
        for name in names:
            seen[name] = number = seen.get(name, 0) + 1
            where = f"{name}[{number}]" if number > 1 else name
            if name in self._names:
                known.append((name, where))
            elif not name.startswith("Z"):
                yield Violation(where, "structure", "leave this segment away; the agreed structure does not have it", "warning")
        missing: list[Violation] = []
        reached = _match(self._top.parts, known, 0, missing)
        yield from missing
        if reached < len(known):
            yield Violation(known[reached][1], "structure", "send segments in the agreed order; this one has no place here", "warning")


def _read(marks: list[str], closing: str) -> list[Node]:
    """The nodes up to a closing bracket; ``marks`` are reversed and used up."""
    nodes: list[Node] = []
    while marks:
        mark = marks.pop()
        if mark == closing:
            return nodes
        if mark == "|":
            continue  # between the parts of a choice
        if mark.isalnum():
            nodes.append(Node(name=mark))
        elif mark in _CLOSING:
            parts = _read(marks, _CLOSING[mark])
            if not parts:
                raise Bug("structure", "brackets have nothing in them")
            node = parts[0] if len(parts) == 1 else Node(parts=parts)
            node.choice |= mark == "<"
            node.optional |= mark == "["
            node.repeating |= mark == "{"
            nodes.append(node)
        else:
            raise Bug("structure", f"{mark} closes what was not opened")
    if closing:
        raise Bug("structure", f"{closing} is missing")
    return nodes


def _find_first(node: Node) -> None:
    if node.name:
        node.first = frozenset((node.name,))
        return
    first: set[str] = set()
    open_ = True
    for part in node.parts:
        _find_first(part)
        if open_ or node.choice:
            first |= part.first
        open_ = open_ and part.optional
    node.first = frozenset(first)


def _match(nodes: list[Node], names: list[tuple[str, str]], position: int, missing: list[Violation]) -> int:
    for node in nodes:
        begun = position
        while position < len(names) and names[position][0] in node.first:
            before = position
            if node.name:
                position += 1
            elif node.choice:
                chosen = next(part for part in node.parts if names[before][0] in part.first)
                position = _match([chosen], names, position, missing)
            else:
                position = _match(node.parts, names, position, missing)
            if not node.repeating or position == before:
                break
        if position == begun and not node.optional:
            name = node.name or min(node.first, default="")
            cure = f"send {name} after {names[position - 1][1]}" if position else f"begin with {name}"
            missing.append(Violation(name, "structure", cure, "warning"))
    return position
