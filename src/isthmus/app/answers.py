"""Answers for a dry run: recorded ones from a file, or a stand-in that nobody can take for the truth."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from isthmus.core import Invalid, Lookup, derive_id
from isthmus.core.lookup import Resolve
from isthmus.core.pseudonym import ENDPOINT as OURSELVES

STAND_IN = "stand-in"


class Asked(Struct, frozen=True, kw_only=True):
    """A question that a plan asked, and how it was answered; the form of an answers file too."""

    endpoint: str
    name: str
    args: tuple[str, ...] | UnsetType = UNSET
    """Left out in an answers file: whatever the arguments are."""
    answer: msgspec.Raw | UnsetType = UNSET
    stand_in: bool = False
    """True when nobody was asked and the answer only has the right form."""


class _Saved(Struct):
    lookups: list[Asked] = []


def read_answers(path: Path) -> list[Asked]:
    """Answers from a file: a list of ``{endpoint, name, args, answer}``, or what ``isthmus plan --json`` printed."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[Asked] | _Saved)
        asked = found if isinstance(found, list) else found.lookups
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("answers", f"{path}: {error}; write a list of {{endpoint, name, args, answer}}") from error
    for one in asked:
        if one.answer is UNSET:
            raise Invalid("answers", f"{path}: {one.name} of {one.endpoint} has no answer")
    return asked


class Answerer:
    """Resolves the lookups of a dry run and remembers what was asked, in order."""

    def __init__(self, recorded: Sequence[Asked] = (), otherwise: Resolve | None = None) -> None:
        """``otherwise`` answers what is not recorded; without it, a stand-in does."""
        self._recorded = recorded
        self._otherwise = otherwise
        self.asked: dict[str, Asked] = {}

    def __call__(self, lookup: Lookup[Any]) -> Any:
        """The answer: a recorded one for these arguments, one for any arguments, else a stand-in."""
        candidates = [one for one in self._recorded if one.endpoint == lookup.endpoint and one.name == lookup.name]
        exact = [one for one in candidates if one.args == lookup.args] or [one for one in candidates if one.args is UNSET]
        if exact and isinstance(exact[0].answer, msgspec.Raw):
            try:
                value = msgspec.json.decode(exact[0].answer, type=lookup.answer)
            except msgspec.DecodeError as error:
                where = f"{lookup.name} of {lookup.endpoint}"
                raise Invalid("answers", f"the recorded answer to {where} is no {_name(lookup.answer)}: {error}") from error
            return self._remember(lookup, value)
        if self._otherwise is not None:
            return self._remember(lookup, self._otherwise(lookup))
        return self._remember(lookup, stand_in_for(lookup), stand_in=True)

    def _remember(self, lookup: Lookup[Any], value: Any, *, stand_in: bool = False) -> Any:
        """Note a question and its answer; a question that is asked again keeps its place."""
        self.asked[lookup.id] = Asked(
            endpoint=lookup.endpoint,
            name=lookup.name,
            args=lookup.args,
            answer=msgspec.Raw(msgspec.json.encode(value)),
            stand_in=stand_in and lookup.endpoint != OURSELVES,
        )
        return value


def stand_in_for(lookup: Lookup[Any]) -> Any:
    """An answer of the right form. Pseudonyms come from a public constant: the same each time, and never a site's own."""
    if lookup.endpoint == OURSELVES:
        return "DRY" + derive_id(STAND_IN, *lookup.args)[:9].upper()
    return _made(lookup.answer, lookup.args[-1] if lookup.args else STAND_IN)


def _made(kind: Any, text: str) -> Any:
    """The smallest value of a type that looks as if something was found."""
    if kind is str:
        return f"{STAND_IN} {text}"
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind(**{field.name: _made(field.type, text) for field in msgspec.structs.fields(kind)})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    return _made_of(kind, typing.get_origin(kind), typing.get_args(kind), text)


def _made_of(kind: Any, origin: Any, args: tuple[Any, ...], text: str) -> Any:
    if origin in (typing.Union, types.UnionType):
        return _made(next((one for one in args if one is not type(None)), None), text)
    if origin in (tuple, list, frozenset, set):
        return origin([_made(args[0], text)])
    if origin is typing.Annotated:
        return _made(args[0], text)
    if origin is typing.Literal:
        return args[0]
    raise Invalid("no-stand-in", f"there is no stand-in for an answer of type {_name(kind)}; record one and give it with --answers")


_SIMPLE: dict[Any, Any] = {
    int: 1,
    float: 1.0,
    bool: True,
    bytes: b"",
    dict: {},
    type(None): None,
    Any: None,
    decimal.Decimal: decimal.Decimal(1),
    dt.date: dt.date(2000, 1, 1),
    dt.datetime: dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
}


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
