"""Response: one HTTP/1.1 answer, read from bytes as they come (RFC 9112). No sockets, no clock.

Read strictly where being lenient would make one answer pass for another: two lengths that differ, a length that is no number, an
answer to what nobody asked. Everything else that a server may send is taken.
"""

from __future__ import annotations

from typing import Literal

_END = b"\r\n\r\n"
_LARGEST_HEAD = 1 << 16
_DRAIN = 1 << 16
"""Bytes of an unwanted body that are read so that its connection can be used again."""
_DIGITS = 15
_HEXADECIMAL = b"0123456789abcdefABCDEF"
_BODILESS = frozenset((204, 304))
_INTERIM, _FINAL, _OK = 100, 200, 200
_SWITCHING = 101


class Malformed(Exception):
    """What came is no HTTP answer. The text never quotes it."""


class TooLarge(Exception):
    """The body is larger than it may be."""


class Response:
    """``limit``: bytes of a body under status 200 that are wanted; any other body is read over, unless it is too long for that."""

    __slots__ = ("_body", "_buffer", "_fields", "_framing", "_head", "_left", "_limit", "_size", "body", "done", "reusable", "status")

    def __init__(self, limit: int = 0) -> None:
        self.status = 0
        """0 until it is known."""
        self.body = b""
        self.done = False
        self.reusable = False
        """Whether its connection can carry another request, once it is done."""
        self._limit = limit
        self._buffer = b""
        self._head = self._fields = b""
        """As it came, and in small letters."""
        self._framing: Literal["length", "chunked", "close"] = "length"
        self._left = 0
        self._size = 0
        self._body: list[bytes] = []

    def header(self, name: bytes) -> str:
        """The value of a field, by its name in small letters; empty where it was not sent."""
        at = self._fields.find(b"\r\n" + name + b":")
        if at < 0:
            return ""
        start = at + len(name) + 3
        end = self._head.find(b"\r\n", start)
        return self._head[start : end if end >= 0 else len(self._head)].strip().decode("latin-1")

    @property
    def wanted(self) -> bool:
        """Whether its body matters."""
        return bool(self._limit) and self.status == _OK

    def feed(self, data: bytes) -> bool:
        """Take what came; True once the answer is complete. Raises ``Malformed`` or ``TooLarge``."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self.status and not self._read_head():
            return False
        if self._framing == "chunked":
            self._read_chunks()
        elif not self.done:
            self._read_plain()
        if self.done and self._buffer:
            self.reusable = False  # more than one answer to one request
            self._buffer = b""
        if self.done:
            self.body = b"".join(self._body) if self._body else b""
        return self.done

    def ended(self) -> bool:
        """The connection has ended; True where that is how this answer ends."""
        if self.status and self._framing == "close":
            self.body, self.done = b"".join(self._body), True
        return self.done

    # ---- the head

    def _read_head(self) -> bool:
        while True:
            end = self._buffer.find(_END)
            if end < 0:
                if len(self._buffer) > _LARGEST_HEAD:
                    raise Malformed("the head of an answer does not end")
                return False
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            status = _status(head)
            if status >= _FINAL:
                break
            if status == _SWITCHING:
                raise Malformed("it switches to another protocol, which nobody asked for")
        self._head, self._fields = head, head.lower()
        self._frame(self._fields, status)
        self.status = status
        return True

    def _frame(self, head: bytes, status: int) -> None:
        """How the body ends (RFC 9112, 6.3), and whether the connection stays."""
        tokens = self.header(b"connection").lower()
        self.reusable = "close" not in tokens and (head.startswith(b"http/1.1") or "keep-alive" in tokens)
        if status in _BODILESS:
            self.done = True
            return
        if b"\r\ntransfer-encoding:" in head:
            if not self.header(b"transfer-encoding").lower().endswith("chunked"):
                self._framing, self.reusable = "close", False
            else:
                self._framing, self._left = "chunked", -1
            return
        length = self.header(b"content-length")
        if not length:
            self._framing, self.reusable = "close", False
            return
        if head.count(b"\r\ncontent-length:") > 1 or not (length.isascii() and length.isdigit()) or len(length) > _DIGITS:
            raise Malformed("its Content-Length is no length, or there are two")
        self._left = int(length)

    # ---- the body

    def _read_plain(self) -> None:
        data = self._buffer
        if self._framing == "length":
            if len(data) > self._left:
                data, self._buffer = data[: self._left], data[self._left :]
            else:
                self._buffer = b""
            self._left -= len(data)
            self.done = self._left == 0
        else:
            self._buffer = b""
        if data:
            self._keep(data)

    def _read_chunks(self) -> None:
        """``_left``: bytes of this chunk that are missing, its line end included; -1: a size comes next; -2: the trailer."""
        while self._buffer and not self.done:
            if self._left < 0:
                line, found, rest = self._buffer.partition(b"\r\n")
                if not found:
                    if len(line) > _LARGEST_HEAD:
                        raise Malformed("a line between chunks does not end")
                    return
                self._buffer = rest
                if self._left == -1:
                    size = _chunk_size(line)
                    self._left = size + 2 if size else -2
                else:
                    self.done = not line
                continue
            data, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
            if data[: max(0, self._left - 2)]:
                self._keep(data[: max(0, self._left - 2)])
            self._left = self._left - len(data) or -1

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self.wanted:
            if self._size > self._limit:
                raise TooLarge(f"more than {self._limit} bytes")
            self._body.append(data)
        elif self._size > _DRAIN:
            self.done, self.reusable, self._buffer = True, False, b""


def _status(head: bytes) -> int:
    line = head[: head.find(b"\r\n")] if b"\r\n" in head else head
    code = line[9:12]
    if not line.startswith(b"HTTP/1.") or len(line) < 12 or line[8:9] != b" " or not code.isdigit() or line[12:13] not in (b"", b" "):  # noqa: PLR2004 - the places of RFC 9112, 4
        raise Malformed("its first line is no status line of HTTP/1")
    if not _INTERIM <= int(code) < 600:  # noqa: PLR2004 - RFC 9110, 15
        raise Malformed("its status is none")
    return int(code)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > _DIGITS or digits.strip(_HEXADECIMAL):
        raise Malformed("the size of a chunk is no number")
    return int(digits, 16)
