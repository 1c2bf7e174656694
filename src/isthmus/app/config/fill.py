"""Fill a settings struct from a tree: every wrong key at once, each with its path, the reason and a cure."""

from __future__ import annotations

import builtins
import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from isthmus.app.config.layers import FromEnvironment, Tree
from isthmus.app.config.secrets import HOW, is_reference, resolve
from isthmus.core import Failure, Finding

S = TypeVar("S", bound=Struct)

UNRESOLVED = "(unresolved)"
"""Stands for a secret when a site is checked on a machine that does not have it."""


class Filler:
    """Fills structs and collects what is wrong. One for a whole configuration."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, secrets: bool = True) -> None:
        self._folder = folder
        self._environment = environment
        self._secrets = secrets
        self.findings: list[Finding] = []
        self.missing_secrets: list[Finding] = []
        """Secrets that this machine does not have: findings for a run, mere notes for a check."""

    def fill(self, cls: type[S], tree: Tree, path: str) -> S | None:
        """An instance, or None when something was wrong (then ``findings`` has grown)."""
        before = len(self.findings)
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        for key in tree:
            if key not in fields:
                self.unknown(f"{path}.{key}", key, fields)
        given = {name: self._value(field, tree[name], f"{path}.{name}") for name, field in fields.items() if name in tree}
        for name, field in fields.items():
            if name not in tree and field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self.add(f"{path}.{name}", "is missing", _add(field))
        if len(self.findings) > before:
            return None
        try:
            return cls(**{fields[name].name: value for name, value in given.items()})
        except Failure as failure:
            self.add(path, failure.code, failure.detail)
        except (ValueError, TypeError) as error:
            self.add(path, str(error), "mend the keys that are named")
        return None

    def add(self, where: str, problem: str, cure: str) -> None:
        self.findings.append(Finding(where, problem, cure))

    def unknown(self, where: str, key: str, known: Iterable[str]) -> None:
        """A key that nobody knows; the nearest known one is proposed."""
        names = sorted(known)
        near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6)
        cure = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}" if names else "remove it"
        self.add(where, "is no known key", cure)

    def unknown_kind(self, where: str, kind: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(kind.lower(), names, n=1, cutoff=0.5)
        self.add(where, "is no known kind", f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}")

    def _value(self, field: FieldInfo, raw: Any, where: str) -> Any:
        origin = f"{where} (from {raw.variable})" if isinstance(raw, FromEnvironment) else where
        value = raw.value if isinstance(raw, FromEnvironment) else raw
        secret = is_secret(field)
        nested = struct_in(field.type)
        if nested is not None and isinstance(value, dict):
            return self.fill(nested, value, where)
        if is_reference(value):
            return self._secret(value, origin)
        if isinstance(value, dict):
            value = {key: self._secret(one, f"{origin}.{key}") if is_reference(one) else one for key, one in value.items()}
        if secret and value is not None and not isinstance(raw, FromEnvironment):
            return self.add(origin, "a secret stands in the file as text", f"{HOW}; then change the secret, for it has been written down")
        try:
            return msgspec.convert(value, field.type, strict=not isinstance(raw, FromEnvironment), dec_hook=_decode)
        except msgspec.ValidationError as error:
            return self.add(origin, "has the wrong type" if secret else _plain(error), f"{field.encode_name} takes {describe(field.type)}")

    def _secret(self, reference: Tree, where: str) -> str | None:
        secret = resolve(reference, where, self._folder, self._environment)
        if not isinstance(secret, Finding):
            return secret
        (self.findings if self._secrets else self.missing_secrets).append(secret)
        return UNRESOLVED


def is_secret(field: FieldInfo) -> bool:
    """Whether a field holds a secret: its type is ``isthmus.connectors.secret.Secret``, perhaps optional."""
    return any(
        isinstance(meta, msgspec.Meta) and (meta.extra or {}).get("secret")
        for one in (field.type, *typing.get_args(field.type))
        for meta in getattr(one, "__metadata__", ())
    )


_WORDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path", type(None): ""}


def describe(kind: Any) -> str:
    """A type in words that a person who edits a TOML file knows."""
    args = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Annotated:
            return describe(args[0]) + _bounds(args[1:])
        case typing.Literal:
            return " or ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in args)
        case typing.Union | types.UnionType:
            return " or ".join(word for one in args if (word := describe(one)))
        case builtins.tuple | builtins.list | builtins.frozenset:
            return "a list of " + describe(args[0])
        case builtins.dict:
            return "a table"
        case _:
            return "a table" if struct_in(kind) else _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _bounds(metas: tuple[Any, ...]) -> str:
    words = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"), ("min_length", "of length at least"))
    found = [f"{text} {value}" for meta in metas for name, text in words if (value := getattr(meta, name, None)) is not None]
    return (" " + ", ".join(found)) if found else ""


def struct_in(kind: Any) -> type[Struct] | None:
    """The struct type in ``TlsSettings | None`` or ``TlsSettings``."""
    candidates: Iterator[Any] = iter((kind, *typing.get_args(kind)))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, Struct)), None)


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("Expected a path in quotes")


def _plain(error: msgspec.ValidationError) -> str:
    """The validator's sentence in lower case and without its quotes; it names types, never values of other keys."""
    text = str(error).replace("`", "")
    return text[:1].lower() + text[1:]


def _add(field: FieldInfo) -> str:
    if is_secret(field):
        return f"add it: {HOW}"
    return f"add {field.encode_name} = {describe(field.type)}"
