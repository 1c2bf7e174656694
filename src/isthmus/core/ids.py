"""Identifiers that are the same on every replay."""

from __future__ import annotations

import hashlib

_LENGTH = 16  # bytes: collisions are out of reach, and an id still fits a line of a terminal


def derive_id(*parts: str | bytes) -> str:
    """The identifier (32 hexadecimal digits) that these parts always have.

    Parts are length-prefixed, so ``("a", "bc")`` and ``("ab", "c")`` differ. Parts come from the business (order number,
    charge code), never from a position in a list: when a later version emits one thing more, ids must not shift.
    """
    digest = hashlib.blake2b(digest_size=_LENGTH)
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()
