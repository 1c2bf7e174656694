"""MLLP framing without I/O (HL7 Transport Specification: MLLP, release 1): ``<VT> message <FS><CR>``.

Bytes in, frames and noise out; the same whatever the packets. A frame ends at FS: neither a missing CR nor one that comes in the
next packet holds a message back. What stands between frames is reported, never dropped in silence.
"""

from __future__ import annotations

import io
from typing import Final

from msgspec import Struct

from isthmus.core.failure import Invalid

VT: Final = b"\x0b"
FS: Final = b"\x1c"
_END: Final = b"\x1c\r"
_BETWEEN: Final = b"\r\n \t\x00"
"""What may stand between frames without being worth a word: the CR after FS, and what senders pad with."""
_KEPT: Final = 65_536
"""How much of what was too large is kept, so that its MSH can still be answered."""
_LARGE: Final = 1 << 20
"""Bytes from which on a frame is gathered in one place, which grows; pieces that are joined at the end would be in memory twice."""


class Frame(Struct, frozen=True):
    """One message, as it stood between VT and FS."""

    body: bytes
    flaw: str = ""
    """``no-start`` where VT was missing; empty where the frame was whole."""


class Noise(Struct, frozen=True):
    """Bytes that are no whole frame. ``data`` may hold PHI: for the journal, not for a log line."""

    reason: str
    """``between-frames``: no message · ``unframed``: a message without VT and FS · ``no-end``: the next frame or the end of the
    connection came before FS · ``too-large``."""
    data: bytes
    """All of it; of what was too large, the beginning (its MSH can still be answered)."""
    size: int


def frame(body: bytes) -> bytes:
    """A message ready to be sent; raises ``Invalid`` where it holds the bytes that frame it."""
    if VT in body or FS in body:
        raise Invalid("mllp-frame", "the message holds VT or FS, which end a frame: escape them as \\X0B\\ and \\X1C\\")
    return VT + body + _END


class Decoder:
    """One connection's way in. ``limit`` is the largest message in bytes that is taken."""

    __slots__ = ("_chunks", "_inside", "_large", "_limit", "_size")

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._large: io.BytesIO | None = None
        self._size = 0
        self._inside = False

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return self._size

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """What these bytes complete."""
        events: list[Frame | Noise] = []
        start = 0
        while True:
            end = data.find(FS, start)
            stop = end if end >= 0 else len(data)
            while (begin := data.find(VT, start, stop)) >= 0:
                if begin > start:
                    self._take(data[start:begin])
                self._abandon(events)
                self._inside = True
                start = begin + 1
            if stop > start:
                self._take(data[start:stop])
            if end < 0:
                return events
            self._end(events)
            start = end + 1

    def close(self) -> list[Frame | Noise]:
        """The connection has ended: what was left without its end."""
        events: list[Frame | Noise] = []
        self._abandon(events)
        self._inside = False
        return events

    def _take(self, data: bytes) -> None:
        if not self._inside and not self._size:
            data = data.lstrip(_BETWEEN)
            if not data:
                return
        if self._size > self._limit:
            self._size += len(data)  # counted, not kept
            return
        self._size += len(data)
        if self._large is not None:
            self._large.write(data)
        else:
            self._chunks.append(data)
            if self._size > _LARGE:
                self._large = io.BytesIO()
                self._large.writelines(self._chunks)
                self._chunks.clear()
        if self._size > self._limit:
            data, _ = self._gathered()
            self._chunks = [data[: min(_KEPT, self._limit)]]

    def _end(self, events: list[Frame | Noise]) -> None:
        """FS came."""
        inside = self._inside
        data, size = self._empty()
        self._inside = False
        if size > self._limit:
            events.append(Noise("too-large", data, size))
        elif inside:
            events.append(Frame(data))
        elif data.startswith(b"MSH"):
            events.append(Frame(data, "no-start"))
        elif data:
            events.append(Noise("between-frames", data, size))

    def _abandon(self, events: list[Frame | Noise]) -> None:
        """What is pending will have no FS."""
        if not self._size and not self._inside:
            return
        inside = self._inside
        data, size = self._empty()
        if size > self._limit:
            events.append(Noise("too-large", data, size))
        elif inside:
            events.append(Noise("no-end", data, size))
        elif data:
            events.append(Noise("unframed" if data.startswith(b"MSH") else "between-frames", data, size))

    def _empty(self) -> tuple[bytes, int]:
        data, size = self._gathered()
        self._size = 0
        return data, size

    def _gathered(self) -> tuple[bytes, int]:
        chunks, large = self._chunks, self._large
        self._chunks, self._large = [], None
        if large is not None:
            return large.getvalue(), self._size  # CPython hands out its buffer, without a copy
        return chunks[0] if len(chunks) == 1 else b"".join(chunks), self._size
