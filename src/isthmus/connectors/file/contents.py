"""Contents: the messages of a file that is no file of rows, read as they are handed over. Blocking: called in a worker thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from isthmus.formats.hl7v2 import BatchStream

PIECE = 1 << 18
"""Bytes that are read at once."""


class Contents:
    """``more`` until it is empty; then ``remarks`` tell what is wrong with the file as a batch."""

    def __init__(self, path: Path, split: Literal["", "hl7"]) -> None:
        self.remarks: tuple[str, ...] = ()
        self._messages = self._whole(path) if not split else self._hl7(path)

    def more(self) -> list[bytes]:
        """The next messages, at least one; none at the end."""
        return next((found for found in self._messages if found), [])

    def _whole(self, path: Path) -> Iterator[list[bytes]]:
        yield [path.read_bytes()]

    def _hl7(self, path: Path) -> Iterator[list[bytes]]:
        """One in which no message is found is handed over as it is, so that the journal tells of it."""
        stream = BatchStream()
        for data in pieces(path):
            yield stream.feed(data)
        yield stream.close()
        self.remarks = tuple(f"{one.where}: {one.cure}" for one in stream.violations)
        if not stream.messages:
            yield from self._whole(path)


def pieces(path: Path) -> Iterator[bytes]:
    """A file's content."""
    with path.open("rb") as file:
        while data := file.read(PIECE):
            yield data
