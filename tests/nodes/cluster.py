"""Nodes in processes of their own, senders that go to another node when one does not answer, and a receiver that counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from engine.house import say
from real.door import Door

from isthmus.engine.membership import WINDOW
from isthmus.journals.sealing import Keyring

HERE = Path(__file__).parent
KINDS = 4
IN_FLIGHT = 6
"""What the receiver allows to all nodes together."""
PATIENCE = 1.5
"""Seconds that a sender waits for its answer."""
PATIENTS = 50
"""Of each sender: so many that no two nodes can have them all in hand."""
PAUSE = 0.2
"""Seconds, at most, between two messages of a sender: what is said can be delivered meanwhile."""


class Receiver:
    """The endpoint, which can be asked what it has. It remembers every effect; an answer may come long after its effect."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.effects: list[tuple[str, str]] = []
        """Patient and key, in their order."""
        self.keys: Counter[str] = Counter()
        self.found = 0
        """Checks that found the effect: it would have been doubled."""
        self.most_running = self._running = 0
        self.port = 0
        self._open = 0
        self._answers = asyncio.Event()
        self._answers.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await until(lambda: not self._open)

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        """What arrives takes effect, but its answer comes only after the block, which begins when every node waits for one."""
        self._answers.clear()
        try:
            await until(lambda: self._running == IN_FLIGHT)
            yield
        finally:
            self._answers.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            while line := await reader.readline():
                asked = json.loads(line)
                self._running += 1
                self.most_running = max(self.most_running, self._running)
                answer = self._note(asked) if asked["do"] == "note" else self._look(asked)
                await asyncio.sleep(self._rng.uniform(0.002, 0.02))
                await self._answers.wait()
                self._running -= 1
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
        self.found += asked["key"] in self.keys
        return b"there" if asked["key"] in self.keys else b"not there"


class Node:
    """A process, with a door of its own to the database."""

    def __init__(self, name: str, door: Door) -> None:
        self.name = name
        self.door = door
        self.port = 0
        self.said: list[str] = []
        self.released = 0
        self.nodes = 0
        """How many it sees."""

    async def start(self, folder: Path, dsn: str, endpoint: int, lease: float) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, HERE / "node.py", folder, dsn, self.name, str(endpoint), str(IN_FLIGHT), str(lease),
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        await until(lambda: bool(self.port) or self.process.returncode is not None, 30.0)
        assert self.port, f"{self.name} did not start: {self.said}"

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            self.said.append(line.decode().strip())
            if word == "ready":
                self.port = int(rest)
            elif word == "released":
                self.released += int(rest)
            elif word == "nodes":
                self.nodes = int(rest)


class Cluster:
    def __init__(self, nodes: dict[str, Node], receiver: Receiver) -> None:
        self.nodes = nodes
        self.receiver = receiver
        self.acknowledged: set[str] = set()
        self.said_times: Counter[str] = Counter()
        """How often each message had to be said."""
        self.refused = 0
        """Answers that were no AA."""
        self.senders: list[asyncio.Task[None]] = []
        self._stop = False

    def speak(self, senders: int) -> None:
        """Each says one message after the other until told to stop; without an AA it says the same again, to another node."""
        self.senders = [asyncio.create_task(self._send(number)) for number in range(senders)]

    async def silence(self) -> None:
        """Every sender has its last answer."""
        self._stop = True
        await asyncio.wait_for(asyncio.gather(*self.senders), 40)

    async def more(self, effects: int) -> None:
        goal = len(self.receiver.effects) + effects
        await until(lambda: len(self.receiver.effects) >= goal)

    async def all_arrived(self, within: float) -> float:
        """Until all that is acknowledged by now has taken effect; how long that took."""
        goal = set(self.acknowledged)
        assert goal
        begun = asyncio.get_running_loop().time()
        await until(lambda: goal <= set(self.receiver.keys), within)
        return asyncio.get_running_loop().time() - begun

    def account(self) -> None:
        """Nothing lost, doubled or out of order; the receiver's budget kept."""
        assert set(self.receiver.keys) >= self.acknowledged, "everything that was acknowledged arrived"
        assert {key: times for key, times in self.receiver.keys.items() if times > 1} == {}, "nothing was sent twice"
        order: dict[str, list[int]] = defaultdict(list)
        for patient, key in self.receiver.effects:
            order[patient].append(int(key.partition("-")[2]))
        assert all(numbers == sorted(numbers) for numbers in order.values()), "each patient's in their order"
        assert self.receiver.most_running <= IN_FLIGHT, "never more at once than the receiver allows"
        assert not [one for node in self.nodes.values() for one in node.said if one.startswith("failed")]

    async def _send(self, number: int) -> None:
        rng = random.Random(number)
        message, turn = 0, number
        while not self._stop:
            turn += 1
            node = list(self.nodes.values())[turn % len(self.nodes)]
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            try:
                while not self._stop:
                    control = f"{number}-{message}"
                    self.said_times[control] += 1
                    patient, kind = f"p{number}.{message % PATIENTS}", f"K{number % KINDS}"
                    writer.write(say(control, patient=patient, sender=f"bed{number}", text=control, kind=kind) + b"\n")
                    async with asyncio.timeout(PATIENCE):
                        answer = await reader.readline()
                    if not answer.startswith(f"ACK|{control}|AA".encode()):
                        self.refused += bool(answer)
                        break
                    self.acknowledged.add(control)
                    message += 1
                    await asyncio.sleep(rng.uniform(0.0, PAUSE))
            except (ConnectionError, TimeoutError):
                pass
            finally:
                writer.transport.abort()


@asynccontextmanager
async def cluster(names: tuple[str, ...], folder: Path, dsn: str, lease: float) -> AsyncIterator[Cluster]:
    """Nodes that work and see each other; ``lease`` in seconds."""
    Keyring.load_or_create(folder / "keyring.json")
    head, _, tail = dsn.rpartition("@")
    address, _, database = tail.partition("/")
    nodes: dict[str, Node] = {}
    async with Receiver(random.Random(int(os.environ.get("ISTHMUS_DRILL_SEED", "7")))) as receiver:
        it = Cluster(nodes, receiver)
        try:
            for name in names:
                door = Door(int(address.rpartition(":")[2]))
                await door.start()
                nodes[name] = Node(name, door)
            await asyncio.gather(
                *(node.start(folder, f"{head}@127.0.0.1:{node.door.port}/{database}", receiver.port, lease) for node in nodes.values())
            )
            await until(lambda: all(node.nodes == len(names) for node in nodes.values()), 15.0)
            await asyncio.sleep(lease + 2 * WINDOW)  # until each has its share of the receiver's budget
            yield it
        finally:
            for sender in it.senders:
                sender.cancel()
            await asyncio.gather(*it.senders, return_exceptions=True)
            for node in nodes.values():
                with contextlib.suppress(ProcessLookupError):
                    node.signal(signal.SIGCONT)
                await node.end()
                await node.door.stop()


async def until(condition: Callable[[], bool], timeout: float = 30.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.005)
