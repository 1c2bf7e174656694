"""Batches and files of messages (HL7 v2.5.1 §2.10.3): every byte of a file is accounted for."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from isthmus.core.contract import Violation

What = Literal["message", "header", "trailer", "framing", "blank", "text"]
"""message · header (FHS, BHS) · trailer (BTS, FTS) · framing (VT, FS) · blank (empty lines, byte order mark) · text (anything else)"""


class Piece(Struct, frozen=True):
    """One range of a file. All pieces in their order are the file, byte for byte."""

    what: What
    start: int
    end: int
    line: int
    """Number of the line in which it begins, from 1."""


class Batch(Struct, frozen=True):
    """A file taken apart."""

    messages: tuple[bytes, ...]
    pieces: tuple[Piece, ...]
    violations: tuple[Violation, ...]
    """Wrong counts, missing headers or trailers, and text that is no message, each with its place."""


def split(data: bytes) -> Batch:
    """Take a file apart: one message or many, in batches that are whole or not, framed or not, with anything between."""
    return Batch((data,) if data else (), (), ())
