"""The load generator: a process of its own. N connections stay open, each has one message in flight, each answer is checked.

An answer counts as an acknowledgement when MSA-1 is AA and MSA-2 is the control id of what was sent. A sender that is turned away
(AR) sends the same message again, as HL7 asks of it. A patient's messages all go over one connection, so their order is defined.

    python -m bench.product.generator --port 2575 --connections 32 --seconds 5 --first 1000 --out FILE

Prints ``ready`` once all are connected, begins at a line on standard input, and ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import time
from array import array
from collections import Counter
from pathlib import Path

import msgspec
import uvloop
from bench.product.loads import Load, write
from bench.product.messages import choose, control_id, fill, templates

PATIENTS = 1_024
PATIENCE = 0.05
"""Seconds after which a sender that was turned away sends again."""
FAREWELL = 20.0
"""Seconds after the end within which every answer that is owed must have come."""


class Traffic:
    """What all connections share: the numbers, what was sent to whom, and how it was answered."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.templates = templates(given.mix)
        self.rng = random.Random(given.seed)
        self.next = given.first
        self.patients = array("I")
        """Of each message, in the order of numbers."""
        self.acked = array("I")
        self.latencies = array("d")
        self.answers: Counter[str] = Counter()
        self.until = 0.0
        self.bytes = 0

    def message(self, patients: range) -> tuple[int, bytes]:
        number, patient = self.next, patients[self.rng.randrange(len(patients))]
        self.next += 1
        self.patients.append(patient)
        data = fill(choose(self.rng, self.templates), number, patient)
        self.bytes += len(data)
        return number, data


class Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, traffic: Traffic, patients: range) -> None:
        self._traffic = traffic
        self._patients = patients
        self._buffer = b""
        self._number, self._data, self._sent = 0, b"", 0.0
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # TCP
        self.connected.set_result(None)

    def go(self) -> None:
        self._number, self._data = self._traffic.message(self._patients)
        self._sent = time.perf_counter()
        self._transport.write(self._data)

    def data_received(self, data: bytes) -> None:
        if self._buffer or not data.endswith(b"\x1c\r"):
            self._buffer += data
            if not self._buffer.endswith(b"\x1c\r"):
                return
            data, self._buffer = self._buffer, b""
        now, traffic = time.perf_counter(), self._traffic
        code = verdict(data, self._number)
        traffic.answers[code] += 1
        if code == "AR":
            asyncio.get_running_loop().call_later(PATIENCE, self._transport.write, self._data)
            return
        if code == "AA":
            traffic.acked.append(self._number)
            traffic.latencies.append(now - self._sent)
        if now < traffic.until:
            self.go()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.done.done():
            self._traffic.answers["connection lost"] += 1
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
            self._transport.close()


def verdict(answer: bytes, number: int) -> str:
    """MSA-1 where MSA-2 is ours; ``foreign`` where it is not."""
    at = answer.find(b"\rMSA|")
    code, control, *_ = (*answer[at + 5 : at + 40].split(b"|", 2), b"", b"")
    if at < 0 or control.rstrip(b"\r\x1c") not in (control_id(number), control_id(number) + b"\r"):
        return "foreign" if at >= 0 else "no MSA"
    return code.decode("ascii", "replace")


async def generate(given: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    traffic = Traffic(given)
    share = PATIENTS // given.connections
    senders = [Sender(traffic, range(n * share, (n + 1) * share)) for n in range(given.connections)]
    for sender in senders:
        await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", given.port)  # type: ignore[misc]  # bound at once
    await asyncio.gather(*(one.connected for one in senders))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.readline)
    before, begun = _cpu(), time.monotonic()
    traffic.until = time.perf_counter() + given.seconds
    for sender in senders:
        sender.go()
    await asyncio.wait([one.done for one in senders], timeout=given.seconds + FAREWELL)
    ended = time.monotonic()
    write(given.out, first=given.first, patients=traffic.patients, acked=traffic.acked, latencies=traffic.latencies)
    load = Load(
        sent=len(traffic.patients),
        acked=len(traffic.acked),
        answers=dict(traffic.answers),
        begun=begun,
        seconds=ended - begun,
        mean_bytes=round(traffic.bytes / max(1, len(traffic.patients))),
        cpu=_cpu() - before,
    )
    sys.stdout.write(msgspec.json.encode(load).decode() + "\n")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--mix", default="usual")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    uvloop.run(generate(parser.parse_args()))


if __name__ == "__main__":
    main()
