"""Contract: what an interface and its source have agreed on. A seam: each format brings its own."""

from __future__ import annotations

from typing import Literal, Protocol, TypeVar

from msgspec import Struct

D = TypeVar("D")


class Violation(Struct, frozen=True):
    """One breach of a contract, told so that the sender can mend it. Holds no value of the message."""

    where: str
    """The place in the format's own words: ``PID-3[2].4``, ``OBX[3]-5``, ``/items/0/code``."""
    rule: str
    """Stable name of the rule: ``required``, ``cardinality``, ``type``, ``length``, ``code-set``, ``structure`` …"""
    cure: str
    """What the sender has to do."""
    severity: Literal["error", "warning"] = "error"


class Header(Struct, frozen=True):
    """The little that the receiver reads before it keeps a message."""

    kind: str = ""
    sender: str = ""
    control_id: str = ""


Verdict = Literal["accepted", "invalid", "refused", "busy"]
"""What the receiver decided: taken; breaks its contract (AE); nobody takes it or it cannot be read (AR); backlog full (AR, 503)."""


class Format(Protocol[D]):
    """What the engine needs of a format: sans-I/O, pure, and never raising anything but ``Invalid``."""

    @property
    def name(self) -> str: ...

    def header(self, body: bytes) -> Header:
        """Read just the header; raises ``Invalid`` where there is none. Called for every message before it is journalled."""
        ...

    def open(self, body: bytes) -> D:
        """The document, lazily parsed; raises ``Invalid`` where the bytes are no such document."""
        ...

    def identifiers(self, document: D) -> tuple[tuple[str, str], ...]:
        """Business identifiers by kind, for search through keyed hashes: ``("patient", "123")``, ``("order", "A1")``."""
        ...

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        """The answer to the sender, or None where it asked for none. ``at`` is ``YYYYMMDDHHMMSS``; same input, same bytes."""
        ...


class Contract(Protocol[D]):
    """Which documents an interface takes and what they must hold."""

    @property
    def format(self) -> Format[D]: ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of message it takes (``ADT^A01``); ``ADT^*`` takes every trigger of a type."""
        ...

    def check(self, document: D) -> tuple[Violation, ...]:
        """Every violation at once, in the order of the document."""
        ...
