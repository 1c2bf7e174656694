"""The HTTP endpoint that is delivered to: a process of its own that answers 200 at once and remembers what came, in its order.

``GET /count`` says how many came and when the last one did; ``GET /dump?FILE`` writes their numbers to a file and forgets them.

    python -m bench.product.sink --port 8085
"""

from __future__ import annotations

import argparse
import asyncio
import re
import resource
import sys
import time
from array import array
from pathlib import Path

import msgspec
import uvloop
from bench.product.loads import write_numbers
from bench.product.messages import MARK
from msgspec import Struct

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DIGITS = 9


class Count(Struct, frozen=True):
    delivered: int
    unmarked: int
    """Requests without a number: nothing of ours."""
    last: float
    """When the last one came, by the monotonic clock."""
    cpu: float


class Book:
    def __init__(self) -> None:
        self.numbers = array("I")
        self.unmarked = 0
        self.last = 0.0

    def count(self) -> Count:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Count(len(self.numbers), self.unmarked, self.last, used.ru_utime + used.ru_stime)


class Answerer(asyncio.Protocol):
    """One connection, kept alive; requests may come in pieces or several at once."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(buffer, 0, end + 2)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(buffer) < size:
                break
            self._answer(buffer, end + 4, size)
            buffer = buffer[size:]
        self._buffer = buffer

    def _answer(self, request: bytes, body: int, end: int) -> None:
        book = self._book
        if request.startswith(b"POST"):
            at = request.find(MARK, body, end)
            if at < 0:
                book.unmarked += 1
            else:
                book.numbers.append(int(request[at + len(MARK) : at + len(MARK) + _DIGITS]))
                book.last = time.monotonic()
            self._transport.write(_OK)
            return
        path = request.split(b" ", 2)[1].decode()
        if path.startswith("/dump?"):
            write_numbers(Path(path.partition("?")[2]), book.numbers)
            book.numbers, book.unmarked = array("I"), 0
        reply = msgspec.json.encode(book.count())
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(reply), reply))


async def serve(port: int) -> None:
    book = Book()
    server = await asyncio.get_running_loop().create_server(lambda: Answerer(book), "127.0.0.1", port, backlog=512)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
