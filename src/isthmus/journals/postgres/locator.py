"""Ids, identifiers and keys as the numbers under which they are looked up, and what this process remembers of where they lie.

Ids are 32 hexadecimal digits (``derive_id``), and prefixes of them are prefixes of their numbers too; ids of other forms are hashed.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from string import hexdigits
from typing import Final, NamedTuple

_DIGITS: Final = 32
_HEX: Final = frozenset(hexdigits)
_SIGN: Final = 1 << 63
_WHOLE: Final = 1 << 64


class Entry(NamedTuple):
    """96 bits of an id or keyed hash."""

    token: int
    rest: int


class Range(NamedTuple):
    """First and last of what begins with a prefix: as uuid, and as token."""

    first: str
    last: str
    first_token: int
    last_token: int


def uuid_of(id: str) -> str:
    """What a message's id is known under."""
    return id if len(id) == _DIGITS and _HEX.issuperset(id) else blake2b(id.encode("utf-8", "replace"), digest_size=16).hexdigest()


def id_entry(id: str) -> Entry:
    return _entry(int(uuid_of(id), 16))


def token_entry(token: bytes) -> Entry:
    return _entry(int.from_bytes(token, "big"))


def prefix_range(prefix: str) -> Range:
    if len(prefix) <= _DIGITS and _HEX.issuperset(prefix):
        first, last = prefix.ljust(_DIGITS, "0"), prefix.ljust(_DIGITS, "f")
    else:
        first = last = uuid_of(prefix)
    return Range(first, last, id_entry(first).token, id_entry(last).token)


def _entry(number: int) -> Entry:
    token, rest = number >> 64, (number >> 32) & 0xFFFFFFFF
    return Entry(token - _WHOLE if token >= _SIGN else token, rest - (1 << 32) if rest >= 1 << 31 else rest)


class Place(NamedTuple):
    seq: int
    endpoint: str = ""
    """Of a delivery."""


class Places:
    """Where what was just handed out lies: messages to be translated, deliveries to be sent. What is remembered never changes, so it
    may be forgotten at any time, and looked up; it spares the couriers and translators every look into the runs.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._known: dict[str, Place] = {}

    def remember(self, found: Iterable[tuple[str, Place]]) -> None:
        self._known.update(found)
        if len(self._known) > self._most:
            for id in list(self._known)[: self._most // 2]:
                del self._known[id]

    def recall(self, id: str) -> Place | None:
        return self._known.get(id)
