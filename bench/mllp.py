# ruff: noqa: INP001 - a script beside the package
"""What an MLLP listener can answer, nothing kept: ``python bench/mllp.py [--seconds 3] [--asyncio]``.

Acknowledgements per second, latency and the listener's CPU time a message, with 1, 8, 32 and 128 senders that wait for each answer; the senders are a second process.
The acknowledgement is a real one, built for each message. Trust ratios in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

import uvloop

from isthmus.connectors.mllp import MllpSource
from isthmus.connectors.mllp.source import MllpListener
from isthmus.connectors.port import Reply
from isthmus.formats.hl7v2 import acknowledge
from isthmus.formats.hl7v2.mllp import frame

MESSAGE = b"\r".join([
    rb"MSH|^~\&|EHR|HOSPITAL|ISTHMUS|HOSPITAL|20240311093000||ADT^A01^ADT_A01|EHR000000001|P|2.5.1",
    b"PID|1||4711^^^HOSPITAL^MR||Example^Edna||19560102|F",
    *(b"AL1|%d|DA|%d^Substance number %d^L|MO|Rash and swelling of the face" % (i, i, i) for i in range(1, 20)),
    b"",
])  # fmt: skip


class Sender(asyncio.Protocol):
    """Sends, waits for the end of the answer, sends again."""

    def __init__(self, until: float, took: list[float]) -> None:
        self._until, self._took = until, took
        self._data = frame(MESSAGE)
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._data)  # type: ignore[attr-defined]  # a TCP transport

    def data_received(self, data: bytes) -> None:
        if not data.endswith(b"\x1c\r"):
            return
        now = time.perf_counter()
        self._took.append(now - self._sent)
        if now < self._until:
            self._send()
        elif not self.done.done():
            self._transport.close()
            self.done.set_result(None)


def serve(pipe: Connection, new_loop: type) -> None:
    def accept(_source: str, body: bytes, _peer: str, reply: Reply) -> None:
        reply(acknowledge(body, "accepted", (), reply_id="R1", at="20240311093000"), "taken")

    async def run() -> None:
        listener = MllpListener("bench", MllpSource())
        await listener.start(accept)
        pipe.send(listener.port)
        while await asyncio.get_running_loop().run_in_executor(None, pipe.recv):
            pipe.send(time.process_time())
        await listener.stop()

    asyncio.Runner(loop_factory=new_loop).run(run())


async def press(port: int, connections: int, seconds: float) -> tuple[float, float, float, int]:
    """Acknowledgements per second, the latencies at 50 and 99 of 100 in ms, and how many there were."""
    took: list[float] = []
    begun = time.perf_counter()
    loop = asyncio.get_running_loop()
    senders = [await loop.create_connection(lambda: Sender(begun + seconds, took), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.gather(*(sender.done for _, sender in senders))
    took.sort()
    return len(took) / (time.perf_counter() - begun), took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3, len(took)


def _ask(pipe: Connection) -> float:
    """The listener's CPU seconds so far."""
    pipe.send(True)
    spent: float = pipe.recv()
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--asyncio", action="store_true", help="the listener on asyncio's own loop")
    told = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    new_loop = asyncio.new_event_loop if told.asyncio else uvloop.new_event_loop
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, new_loop))
    server.start()
    port = ours.recv()
    for connections in (1, 8, 32, 128):
        before = _ask(ours)
        rate, median, tail, messages = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(press(port, connections, told.seconds))
        cost = (_ask(ours) - before) / messages * 1e6
        print(  # noqa: T201 - its purpose
            f"{connections:4} connections  {rate:9,.0f} acks/s   p50 {median:6.2f} ms   p99 {tail:6.2f} ms   listener's CPU {cost:5.1f} µs"
        )
    ours.send(False)
    server.join()


if __name__ == "__main__":
    main()
