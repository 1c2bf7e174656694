"""A rolling restart with the real program: two nodes on one port, each replaced under load, and no sender is refused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nodes.cluster import until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

ISTHMUS = str(Path(sys.executable).with_name("isthmus"))
SENDERS = 6
GAP = 3.0
"""Seconds that a sender may have to wait for an answer while a node is replaced; it is a fraction of one, but for a busy machine."""


def adt(sender: int, number: int) -> bytes:
    lines = (
        f"MSH|^~\\&|PAS{sender}|NORTH|ISTHMUS|NORTH|20260302081500||ADT^A01^ADT_A01|C-{sender}-{number}|P|2.5.1",
        f"PID|1||P-{sender}^^^NORTH^MR||Mustermann^Erika||19700101|F",
        f"PV1|1|I|WEST^12^B{'|' * 16}V-{sender}-{number}",
    )
    return b"\x0b" + "\r".join(lines).encode() + b"\r\x1c\r"


class Senders:
    """Each says one message after the other on a connection of its own, and makes another where that is closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = False
        self.acknowledged: set[str] = set()
        self.not_taken: list[bytes] = []
        self.refused = 0
        self.reconnects = 0
        self.longest = 0.0
        self._tasks = [asyncio.create_task(self._send(number)) for number in range(SENDERS)]

    async def more(self, messages: int) -> None:
        goal = len(self.acknowledged) + messages
        await until(lambda: len(self.acknowledged) >= goal)

    async def stop(self) -> None:
        self._stop = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), 20)

    async def _send(self, sender: int) -> None:
        loop, number = asyncio.get_running_loop(), 0
        said = loop.time()
        while not self._stop:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except ConnectionRefusedError:
                self.refused += 1
                await asyncio.sleep(0.01)
                continue
            except ConnectionError:  # taken by the system for a listener that was just closing
                continue
            self.reconnects += 1
            try:
                while not self._stop:
                    writer.write(adt(sender, number))
                    answer = await reader.readuntil(b"\x1c\r")
                    self.longest = max(self.longest, loop.time() - said)
                    if b"MSA|AA" in answer:
                        self.acknowledged.add(f"V-{sender}-{number}-in.json")
                        number += 1
                    else:
                        self.not_taken.append(answer)
                    await asyncio.sleep(0.02)
                    said = loop.time()
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.transport.abort()


class Program:
    """``isthmus run --node NAME``."""

    def __init__(self, site: Path, node: str, dsn: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS")}
        self.out = site / f"{node}.out"
        with self.out.open("a") as out:
            self.process = subprocess.Popen(
                [ISTHMUS, "run", str(site), "--node", node, "--every", "0.1"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**clean, "DSN": dsn},
            )
        self.begun = self.out.stat().st_size

    async def sees(self, nodes: int) -> None:
        await until(lambda: f"nodes {nodes}" in self.said().splitlines()[-1] if self.said() else False, 20)

    async def ends(self) -> str:
        """After a SIGTERM; what it said at its end."""
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, 20)
        assert self.process.returncode == 0, self.said()
        return self.said()

    def said(self) -> str:
        return self.out.read_text()


def doctors(site: Path, dsn: str) -> dict[str, str]:
    """What `isthmus doctor` finds, by what it looked at."""
    found = subprocess.run([ISTHMUS, "doctor", str(site), "--json"], capture_output=True, check=False, env={**os.environ, "DSN": dsn})
    return {one["what"]: one["told"] for one in json.loads(found.stdout)["examined"]}


def isthmus(site: Path, dsn: str, *words: str) -> Any:
    """What a command prints as JSON."""
    said = subprocess.run([ISTHMUS, *words, "--site", str(site), "--json"], capture_output=True, check=True, env={**os.environ, "DSN": dsn})
    return json.loads(said.stdout)


async def redelivered(site: Path, dsn: str, files: Path) -> None:
    """What a person makes due in a process of its own is sent by the node that runs."""
    (message,) = isthmus(site, dsn, "messages", "--limit", "1")["messages"]
    (delivery,) = isthmus(site, dsn, "show", message["id"])["deliveries"]
    (files / f"{delivery['key']}.json").unlink()
    subprocess.run(
        [ISTHMUS, "redeliver", delivery["id"], "--site", str(site), "--why", "it was deleted", "--by", "ada"],
        capture_output=True,
        check=True,
        env={**os.environ, "DSN": dsn},
    )
    await until((files / f"{delivery['key']}.json").exists, 5.0)


async def test_a_rolling_restart_refuses_no_message(postgres_dsn: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    port = 26_000 + os.getpid() % 4_000
    subprocess.run([ISTHMUS, "init", str(site)], check=True, capture_output=True)
    config = site / "isthmus.toml"
    text = config.read_text().replace('kind = "sqlite"\npath = "var/journal.sqlite"', 'kind = "postgres"\ndsn = {env = "DSN"}')
    config.write_text(text.replace("port = 2575", f"port = {port}\nreuse_port = true"))
    running: list[Program] = []

    async def start(node: str, sees: int) -> Program:
        running.append(Program(site, node, postgres_dsn))
        await running[-1].sees(sees)
        return running[-1]

    try:
        old = await start("a", 1)
        senders = Senders(port)
        for node in ("b", "a"):
            await senders.more(60)
            new = await start(node, 2)
            await senders.more(60)
            assert [one.split(" (lease runs for")[0] for one in doctors(site, postgres_dsn)["nodes"].split(", ")] == ["a", "b"]
            before = senders.reconnects
            assert "it balances" in (await old.ends()).lower()
            assert "ended before all was worked off" not in old.said()
            await senders.more(60)
            assert senders.reconnects > before, "senders had to turn to the other process, or the drill did not hurt"
            old = new
        await senders.stop()
        files = site / "var/out/arrivals"
        await until(lambda: {path.name for path in files.iterdir()} >= senders.acknowledged, 15)
        assert (senders.refused, senders.not_taken) == (0, [])
        assert senders.longest < GAP
        await redelivered(site, postgres_dsn, files)
        await old.ends()
        sheet = json.loads(
            subprocess.run(
                [ISTHMUS, "balance", str(site), "--json"], capture_output=True, check=True, env={**os.environ, "DSN": postgres_dsn}
            ).stdout
        )
        assert sheet["balances"]
        assert sheet["attempts"]["arrivals"].get("unknown", 0) == 0, "what was not sent was handed back: nothing had to be checked"
        assert sheet["totals"]["deliveries"]["delivered"] == len(list(files.iterdir())) >= len(senders.acknowledged)
    finally:
        for one in running:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
