"""The drill: a node is killed again and again under traffic, and nothing that was acknowledged is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from engine.house import say

HERE = Path(__file__).parent
CONNECTIONS, MESSAGES, KILLS = 8, 150, 5
"""Senders, messages of each, and how often the node dies meanwhile."""


class Ward:
    """The endpoint, in a process that is not killed. It remembers every effect; an answer may come long after its effect."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.effects: list[tuple[str, str]] = []
        """Patient and key, in their order."""
        self.keys: Counter[str] = Counter()
        self.looks = 0
        self.found = 0
        self.port = 0
        self._open = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await reached(lambda: not self._open)

    async def more(self, effects: int) -> None:
        goal = len(self.effects) + effects
        await reached(lambda: len(self.effects) >= goal)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            while line := await reader.readline():
                asked = json.loads(line)
                answer = self._note(asked) if asked["do"] == "note" else self._look(asked)
                await asyncio.sleep(self._rng.uniform(0.0, 0.008))
                writer.write(answer + b"\n")
        except ConnectionError:
            pass
        finally:
            writer.close()
            self._open -= 1

    def _note(self, asked: dict[str, str]) -> bytes:
        self.effects.append((asked["patient"], asked["key"]))
        self.keys[asked["key"]] += 1
        return b"done"

    def _look(self, asked: dict[str, str]) -> bytes:
        self.looks += 1
        self.found += asked["key"] in self.keys
        return b"there" if asked["key"] in self.keys else b"not there"


class Node:
    """The process that is killed and started again."""

    def __init__(self, folder: Path, endpoint: int) -> None:
        self._folder, self._endpoint = folder, endpoint
        self.port = 0
        self.up = asyncio.Event()
        self.released = 0
        self.failures: list[str] = []

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            HERE / "crash_node.py",
            self._folder,
            str(self._endpoint),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        self._reading = asyncio.create_task(self._read())
        await asyncio.wait_for(self.up.wait(), 30)

    async def kill(self) -> None:
        self.up.clear()
        os.kill(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "ready":
                self.port = int(rest)
                self.up.set()
            elif word == "released":
                self.released += int(rest)
            else:
                self.failures.append(line.decode())


async def sender(number: int, node: Node, acknowledged: set[str], repeated: Counter[str]) -> None:
    """Says its messages one after the other; without an AA it says the same one again, as real senders do."""
    waiting = [f"{number}-{count}" for count in range(MESSAGES)]
    while waiting:
        await node.up.wait()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        except OSError:
            continue
        try:
            while waiting:
                control = waiting[0]
                repeated[control] += 1
                writer.write(say(control, patient=f"p{number}", sender=f"bed{number}", text=control) + b"\n")
                if not (await reader.readline()).startswith(f"ACK|{control}|AA".encode()):
                    break
                acknowledged.add(waiting.pop(0))
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.mark.slow
async def test_a_node_that_is_killed_again_and_again_loses_doubles_and_disorders_nothing(tmp_path: Path) -> None:
    rng = random.Random(int(os.environ.get("ISTHMUS_DRILL_SEED", "7")))
    acknowledged: set[str] = set()
    repeated: Counter[str] = Counter()
    async with Ward(rng) as ward:
        node = Node(tmp_path, ward.port)
        await node.start()
        senders = [asyncio.create_task(sender(number, node, acknowledged, repeated)) for number in range(CONNECTIONS)]
        for kill in range(KILLS):
            # not before it has worked for a while, at a moment that nobody chose
            await ward.more(20)
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            assert not all(one.done() for one in senders), f"kill {kill} came when all was over: the drill did not hurt"
            await node.kill()
            await node.start()
        await asyncio.wait_for(asyncio.gather(*senders), 60)
        await reached(lambda: acknowledged <= set(ward.keys))
        await asyncio.sleep(0.1)
        await node.kill()

        assert len(acknowledged) == CONNECTIONS * MESSAGES
        assert set(ward.keys) == acknowledged, "everything that was acknowledged arrived, and nothing else"
        assert set(ward.keys.values()) == {1}, "each of them once"
        order: dict[str, list[int]] = defaultdict(list)
        for patient, key in ward.effects:
            order[patient].append(int(key.partition("-")[2]))
        assert all(numbers == sorted(numbers) for numbers in order.values()), "each patient's in their order"
        assert node.failures == []

        assert node.released > 0, "claims were in flight when it was killed, or the drill did not hurt"
        assert ward.found > 0, "some had taken effect without anybody knowing, or the drill did not hurt"
        assert max(repeated.values()) > 1, "some had to be said again, or the drill did not hurt"


async def reached(condition: Callable[[], bool], timeout: float = 60.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.005)
