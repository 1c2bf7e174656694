"""A file of messages taken apart while it is read: what :func:`split` says of the whole, in the memory of a piece."""

from __future__ import annotations

from isthmus.core.contract import Violation
from isthmus.formats.hl7v2.batch import begins, split
from isthmus.formats.hl7v2.charset import wide
from isthmus.formats.hl7v2.counts import BatchCounts

_PIECE = 1 << 20
"""Bytes that are gathered before they are taken apart, up to the last place where a message or a batch begins."""


class BatchStream:
    """Bytes in, messages out, in any pieces. A file in UTF-16 or UTF-32 is gathered whole, for its lines cannot be told before."""

    def __init__(self) -> None:
        self._gathered = bytearray()
        self._looked = 0
        """So much of it holds no beginning that could be cut at."""
        self._line = 0
        """Line ends before what is gathered."""
        self._after_cr = False
        self._counts = BatchCounts()
        self._strange: list[Violation] = []
        self.messages = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete."""
        self._gathered += data
        if len(self._gathered) < _PIECE + self._looked or wide(bytes(self._gathered[:8])):
            return []
        cut = max(begins(bytes(self._gathered)), default=0)
        self._looked = 0 if cut else len(self._gathered)
        return self._take(cut)

    def close(self) -> list[bytes]:
        """The rest. From now on ``violations`` are all."""
        return self._take(len(self._gathered))

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Wrong counts, missing headers or trailers, and text that is no message, each with its place."""
        return (*self._strange, *self._counts.close())

    def _take(self, end: int) -> list[bytes]:
        data = bytes(self._gathered[:end])
        del self._gathered[:end]
        batch = split(data)
        for piece in batch.pieces:
            self._counts.see(piece.what, b"" if piece.what == "message" else data[piece.start : piece.end])
            if piece.what == "text":
                line = f"line {self._line + piece.line}"
                self._strange.append(Violation(line, "text", "leave away what is no segment; it was not read", "warning"))
        self._line += data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
        self._line -= self._after_cr and data.startswith(b"\n")
        self._after_cr = data.endswith(b"\r")
        self.messages += len(batch.messages)
        return list(batch.messages)
