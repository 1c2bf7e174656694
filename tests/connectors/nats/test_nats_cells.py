"""From one cell to another: each event once, in order per patient, whatever is killed on the way. Everything here is real."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest
from connectors.nats.cells import Cell, north, other_cells, south
from connectors.nats.conftest import NatsStand
from engine.house import Bedside, Desk, say
from nats.js.api import ExternalStream, StreamConfig, StreamSource
from real.nats import USER, NatsServer, alone, available, free_ports

from isthmus.connectors.nats.client import NatsClient
from isthmus.connectors.nats.settings import NatsEndpoint, NatsSource
from isthmus.connectors.nats.source import NatsConsumer
from isthmus.connectors.suite import Unlimited
from isthmus.journals.port import Query

PATIENTS = 7


def endpoint(servers: Sequence[NatsServer], **changes: Any) -> NatsEndpoint:
    given: dict[str, Any] = {
        "servers": tuple(one.address for one in servers),
        "stream": "CELLS",
        "subjects": ("cells.>",),
        "monitors": tuple(one.monitor for one in servers),
        "user": USER,
        "password": servers[0].password,
        "replicas": len(servers),
        "max_bytes": 64 << 20,
        "max_batch": 32,
        "connect_timeout": 3.0,
    }
    return NatsEndpoint(**{**given, **changes})


def source(servers: Sequence[NatsServer], **changes: Any) -> NatsSource:
    given: dict[str, Any] = {
        "servers": tuple(one.address for one in servers),
        "stream": "CELLS",
        "consumer": "south",
        "user": USER,
        "password": servers[0].password,
        "connect_timeout": 3.0,
    }
    return NatsSource(**{**given, **changes})


class Journey:
    """Both cells in this process, and what went in and came out."""

    def __init__(self, folder: Path, out: NatsEndpoint, into: NatsSource) -> None:
        self.bedside, self.ward = Bedside(), Desk(in_flight=4)
        self.client = NatsClient("other-cells", out, Unlimited())
        self.consumer = NatsConsumer("cells", into)
        self.north = Cell(folder / "north", north, {"bedside": self.bedside}, {other_cells.name: self.client})
        self.south = Cell(folder / "south", south, {"cells": self.consumer}, {"ward": self.ward})
        self.said = 0

    def say(self, count: int) -> None:
        for _ in range(count):
            self.bedside.say(say(self.said, patient=f"p{self.said % PATIENTS}", text=f"t{self.said}"))
            self.said += 1

    async def progress(self, count: int) -> None:
        """Until so many more are in the ward."""
        goal = len(self.ward.sent) + count
        async with asyncio.timeout(60):
            while len(self.ward.sent) < goal:
                await asyncio.sleep(0.01)

    async def arrives(self, within: float = 60) -> None:
        """Everything that was acknowledged to the bedside is in the ward."""
        async with asyncio.timeout(within):
            while len({one.key for one in self.ward.sent}) < self.said or await self.north.delivered() < self.said:
                await asyncio.sleep(0.02)

    def balances(self) -> None:
        assert self.bedside.codes == ["AA"] * self.said
        exactly_once_in_order([one.key for one in self.ward.sent], self.said)


def exactly_once_in_order(arrived: list[str], said: int) -> None:
    assert collections.Counter(arrived) == collections.Counter(str(number) for number in range(said)), "each once"
    for patient in range(PATIENTS):
        mine = [int(key) for key in arrived if int(key) % PATIENTS == patient]
        assert mine == sorted(mine), f"order of patient {patient}"


async def ids_in(server: NatsServer, stream: str = "CELLS") -> list[str]:
    connection = await nats.connect(server.url)
    js = connection.jetstream()
    state = (await js.stream_info(stream)).state
    found = [await js.get_msg(stream, number) for number in range(state.first_seq, state.last_seq + 1)]
    await connection.close()
    return [str((one.headers or {})["Nats-Msg-Id"]) for one in found]


async def test_from_cell_to_cell(stand: NatsStand, tmp_path: Path) -> None:
    """The number under which south knows a message is the delivery's id in north, so a story goes on over the border."""
    await stand.make(name="CELLS", subjects=["cells.>"])
    server = stand.server
    journey = Journey(tmp_path, endpoint([server], max_bytes=4 << 20), source([server]))
    async with journey.north, journey.south:
        journey.say(300)
        await journey.arrives()
        journey.balances()
        sent = {one.control_id for one in await journey.south.journal.find(Query(limit=500))}
        told = {one.id for one in await journey.north.journal.deliveries(state="delivered", limit=500)}
        assert len(sent) == 300
        assert sent == told
    await stand.js.delete_stream("CELLS")


@pytest.mark.slow
async def test_a_cluster_whose_leader_is_killed_under_load(nats_cluster: list[NatsServer], tmp_path: Path) -> None:
    """It dies by -9 with messages under way, and comes back. Nothing is lost, doubled or out of order."""
    journey = Journey(tmp_path, endpoint(nats_cluster), source(nats_cluster))
    async with journey.north:
        await leader_of(nats_cluster)
        async with journey.south:
            enough = asyncio.Event()
            feeding = asyncio.create_task(feed(journey, enough))
            await journey.progress(300)
            leader = await leader_of(nats_cluster)
            leader.kill()
            await journey.progress(300)
            await asyncio.to_thread(leader.start)
            await journey.progress(300)
            enough.set()
            await feeding
            await journey.arrives()
            journey.balances()
            assert journey.client.counts.total() > 0, "it did not hurt"
            ids = await ids_in(nats_cluster[0])
            assert len(ids) == len(set(ids)) == journey.said, "the stream recognised what was published again"


@pytest.mark.slow
async def test_a_leaf_goes_on_while_its_hub_is_down_and_the_hub_catches_up(tmp_path: Path) -> None:
    """North publishes to a stream on its own leaf node; the hub copies it into a stream of its own; south reads at the hub."""
    available()
    ports = free_ports(6)
    with (
        alone(tmp_path / "hub", name="hub", port=ports, domain="hub", more=f"leafnodes {{ listen: 127.0.0.1:{ports + 2} }}\n") as hub,
        alone(
            tmp_path / "leaf",
            name="leaf",
            port=ports + 3,
            domain="leaf",
            password=hub.password,
            more=f'leafnodes {{ reconnect: 1, remotes: [{{ url: "nats://{USER}:{hub.password}@127.0.0.1:{ports + 2}", account: A }}] }}\n',
        ) as leaf,
    ):
        journey = Journey(tmp_path, endpoint([leaf], domain="leaf"), source([hub], domain="hub", stream="NORTH"))
        async with journey.north:
            connection = await nats.connect(hub.url)
            copy = StreamSource(name="CELLS", external=ExternalStream(api="$JS.leaf.API"))
            await connection.jetstream(domain="hub").add_stream(StreamConfig(name="NORTH", sources=[copy], num_replicas=1))
            await connection.close()
            async with journey.south:
                journey.say(100)
                await journey.arrives()
                hub.kill()
                journey.say(200)
                async with asyncio.timeout(30):
                    while await journey.north.delivered() < 300:
                        await asyncio.sleep(0.02)
                assert len(journey.ward.sent) == 100, "it did not hurt: the hub was there"
                assert journey.bedside.codes == ["AA"] * 300
                await asyncio.to_thread(hub.start)
                await journey.arrives(80)
                journey.balances()


@pytest.mark.slow
async def test_a_consuming_node_is_killed_between_journal_and_acknowledgement(stand: NatsStand, tmp_path: Path) -> None:
    """South is killed with -9 under load, four times; what it had in its journal comes again and is recognised."""
    await stand.make(name="CELLS", subjects=["cells.>"], max_bytes=32 << 20)
    server, ward, rng = stand.server, Ward(), random.Random(5)
    await ward.start()
    settings = msgspec.json.encode(source([server], window=64)).decode()
    bedside = Bedside()
    client = NatsClient("other-cells", endpoint([server], max_bytes=32 << 20), Unlimited())
    duplicates = said = 0
    async with Cell(tmp_path / "north", north, {"bedside": bedside}, {other_cells.name: client}):
        for kill in range(5):
            node = await asyncio.create_subprocess_exec(
                sys.executable, str(Path(__file__).parent / "cells.py"), str(tmp_path / "south"), settings, str(ward.port),
                stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip
            assert node.stdout is not None
            assert (await asyncio.wait_for(node.stdout.readline(), 20)).strip() == b"ready"
            for _ in range(400):
                bedside.say(say(said, patient=f"p{said % PATIENTS}", text="t"))
                said += 1
            before = len(ward.noted)
            if kill < 4:
                async with asyncio.timeout(30):
                    while len(ward.noted) < before + rng.randrange(5, 150):
                        await asyncio.sleep(0.001)
            else:
                async with asyncio.timeout(30):
                    while len(set(ward.noted)) < said:
                        await asyncio.sleep(0.02)
            node.kill()
            printed, _ = await node.communicate()
            assert b"failed" not in printed
            duplicates += sum(int(line.split()[1]) for line in printed.splitlines() if line.startswith(b"duplicates"))
    await ward.stop()
    assert duplicates > 0, "it did not hurt: nothing came twice"
    exactly_once_in_order(ward.noted, said)
    await stand.js.delete_stream("CELLS")


class Ward:
    """The endpoint of south, in this process; it recognises what comes twice by its key, as a checking receiver does."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            known = asked["key"] in self.noted
            if asked["do"] == "note":
                assert not known, "sent twice"
                self.noted.append(asked["key"])
            writer.write(b"done\n" if asked["do"] == "note" else b"there\n" if known else b"absent\n")
        writer.close()


async def feed(journey: Journey, enough: asyncio.Event) -> None:
    """So that something is always under way, but never much."""
    while not enough.is_set():
        if journey.said - len(journey.ward.sent) < 200:
            journey.say(50)
        await asyncio.sleep(0.01)


async def leader_of(servers: Sequence[NatsServer]) -> NatsServer:
    """Of the stream; a cluster may need a moment until it has one, and north until it has made the stream."""
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await nats.connect([one.url for one in servers], max_reconnect_attempts=1, reconnect_time_wait=0)
            except (nats.errors.Error, OSError):
                await asyncio.sleep(0.1)
                continue
            try:
                cluster = (await connection.jetstream(timeout=1).stream_info("CELLS")).cluster
            except (nats.errors.Error, nats.js.errors.Error):
                cluster = None
            finally:
                await connection.close()
            if cluster is not None and cluster.leader:
                return next(one for one in servers if one.name == cluster.leader)
            await asyncio.sleep(0.1)
