"""Cutter: where the rows of a file end, as its bytes come; the same whatever the pieces.

A line's end inside a quoted field belongs to the field (RFC 4180 §2.6). A quote opens a field only at its beginning, so an inch mark in
the middle of one is text. A quote that is never closed would swallow the rest of the file: where the row would have ``max_row`` bytes,
where another field's quote would close it, or at the end, its line is given out alone (it will be refused), and the next line begins a row. Of a line that is too long itself the
first ``max_row`` bytes are given out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

_QUOTE = 0x22
_BLANK = b" \r\n"


class RawRow(NamedTuple):
    line: int
    """Of the file, from 1, in which it begins."""
    raw: bytes
    """With its line's end, and with the empty lines before it."""

    @property
    def bare(self) -> bytes:
        """Without the empty lines before it."""
        return self.raw.lstrip(_BLANK) if self.raw[:1] in (b" ", b"\r", b"\n") else self.raw


class Cutter:
    def __init__(self, *, delimiter: bytes, quoted: bool, max_row: int, line: int = 1) -> None:
        self._delimiter = delimiter
        self._quoted = quoted
        self._max_row = max_row
        self._line = line
        """Number of the next line."""
        self._rest = b""
        """A line whose end has not come."""
        self._open: list[bytes] = []
        """Lines of a row whose quote is not closed."""
        self._open_size = 0
        self._blank = b""
        self._skips = False
        """In the rest of a line that was too long."""

    def feed(self, data: bytes) -> list[RawRow]:
        """The rows that these bytes complete."""
        lines = (self._rest + data).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""  # CR may be followed by LF
        rows: list[RawRow] = []
        self._take(lines, rows)
        while self._open and self._open_size + len(self._rest) >= self._max_row:
            self._give_up(rows)
        if self._skips:
            self._rest = b""
        elif len(self._rest) >= self._max_row:
            self._emit(self._rest[: self._max_row], 0, rows)
            self._rest, self._skips = b"", True
        return rows

    def close(self) -> list[RawRow]:
        """The rest, at the end of the file."""
        rows: list[RawRow] = []
        if self._skips:
            self._rest = b""
        self._take([self._rest] if self._rest else [], rows)
        self._rest = b""
        while self._open:
            self._give_up(rows)
        return rows

    def _take(self, lines: list[bytes], rows: list[RawRow]) -> None:
        for line in lines:
            if self._skips:
                self._skips = False
                self._line += 1
                continue
            while self._open and self._open_size + len(line) >= self._max_row:
                self._give_up(rows)
            if self._open:
                self._open.append(line)
                self._open_size += len(line)
                state = self._state_after(line, inside=True)
                if state == "broken":
                    self._give_up(rows)
                elif state == "closed":
                    raw, lines_of_it, self._open = b"".join(self._open), len(self._open), []
                    self._emit(raw, lines_of_it, rows)
            elif len(line) >= self._max_row:
                self._emit(line[: self._max_row], 1, rows)
            elif self._quoted and _QUOTE in line and self._state_after(line, inside=False) == "open":
                self._open, self._open_size = [line], len(line)
            else:
                self._emit(line, 1, rows)

    def _give_up(self, rows: list[RawRow]) -> None:
        """The first of the open lines is a row by itself; the others are read again."""
        first, *others = self._open
        self._open = []
        self._emit(first, 1, rows)
        self._take(others, rows)

    def _emit(self, raw: bytes, lines: int, rows: list[RawRow]) -> None:
        if not raw.strip(_BLANK):
            self._blank += raw
        else:
            rows.append(RawRow(self._line, self._blank + raw))
            self._blank = b""
        self._line += lines

    def _state_after(self, line: bytes, *, inside: bool) -> Literal["open", "closed", "broken"]:
        """Whether a quoted field goes on in the next line; ``inside``: this one begins within one. broken: what stands behind the quote
        that closes it cannot, so it is another field's, and the first was never closed.
        """
        position, end = 0, len(line)
        while position < end:
            if not inside:
                if line[position] != _QUOTE:
                    position = self._after_delimiter(line, position)
                    continue
                position, inside = position + 1, True
            close = line.find(b'"', position)
            if close < 0:
                return "open"
            behind = line[close + 1 : close + 2]
            if behind == b'"':
                position = close + 2
                continue
            if behind not in (self._delimiter, b"", b"\r", b"\n", b" "):
                return "broken"
            inside = False
            position = self._after_delimiter(line, close + 1)
        return "open" if inside else "closed"

    def _after_delimiter(self, line: bytes, position: int) -> int:
        found = line.find(self._delimiter, position)
        return len(line) if found < 0 else found + 1
