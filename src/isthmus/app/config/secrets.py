"""Secrets: taken from the environment or a file that only we can read, never from the configuration's own text."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.core import Finding

HOW = 'write {env = "NAME"} or {file = "path"}'


def is_reference(value: Any) -> bool:
    """Whether this is ``{env = …}`` or ``{file = …}``."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("env", "file")


def resolve(reference: dict[str, Any], where: str, folder: Path, environment: Mapping[str, str]) -> str | Finding:
    """The secret, or why it cannot be had; the finding never holds any of it."""
    ((way, name),) = reference.items()
    if not isinstance(name, str) or not name:
        return Finding(where, f"{{{way} = …}} needs a name in quotes", HOW)
    return _from_environment(name, where, environment) if way == "env" else _from_file(folder / name, where)


def _from_environment(name: str, where: str, environment: Mapping[str, str]) -> str | Finding:
    value = environment.get(name, "")
    if value:
        return value
    state = "empty" if name in environment else "not set"
    return Finding(where, f"the environment variable {name} is {state}", f"set {name} for this process, or use {{file = …}}")


def _from_file(path: Path, where: str) -> str | Finding:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return Finding(where, f"{path} is no regular file", "name the file that holds the secret")
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            return Finding(where, f"everybody on this machine may read or write {path}", f"chmod 600 {path}, then change the secret")
        value = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return Finding(where, f"there is no file {path}", "create it with the secret in it, then chmod 600 it")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        return Finding(where, f"{path} cannot be read: {reason}", "let the program's user own it, with mode 600")
    return value or Finding(where, f"{path} is empty", "put the secret into it")
