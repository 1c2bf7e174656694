"""The layers of a configuration: the file, then the environment. What no layer sets stays unset until all are merged."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, json

from isthmus.core import Finding

FILE = "isthmus.toml"
PREFIX = "ISTHMUS__"

Tree = dict[str, Any]


class FromEnvironment(Struct, frozen=True):
    """A value that an environment variable sets: text, to be read as whatever type the key has."""

    variable: str
    value: Any


def read_file(path: Path) -> tuple[Tree, tuple[Finding, ...]]:
    """The file's tree, or the one finding that says why it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), ()
    except FileNotFoundError:
        cure = "go into a site's folder or name it with --site; `isthmus init FOLDER` makes a new site"
        return {}, (Finding(str(path), "there is no such file", cure),)
    except tomllib.TOMLDecodeError as error:
        return {}, (Finding(str(path), f"not valid TOML: {error}", "mend it there; values that are text stand in quotes"),)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        return {}, (Finding(str(path), f"cannot be read: {reason}", "check the file's permissions and encoding"),)


def overlay(tree: Tree, environment: Mapping[str, str]) -> Tree:
    """The tree with ``ISTHMUS__SECTION__KEY`` variables laid over it.

    Names are compared without case, and ``-`` in a name is ``_`` in a variable, since shells allow no other.
    """
    merged = _copy(tree)
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable == PREFIX:
            continue
        *path, last = variable.removeprefix(PREFIX).lower().split("__")
        at = merged
        for part in path:
            below = at.setdefault(_known(at, part), {})
            if not isinstance(below, dict):
                break
            at = below
        else:
            at[_known(at, last)] = FromEnvironment(variable, _value(text))
    return merged


def leaves(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path, for those who list what is set."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _copy(tree: Tree) -> Tree:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _known(at: Tree, part: str) -> str:
    return next((key for key in at if key.lower().replace("-", "_") == part), part)


def _value(text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.decode(text)
    except ValueError:
        return text
