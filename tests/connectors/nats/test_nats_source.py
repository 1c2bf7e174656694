"""The NATS source keeps the contract of sources of brokers; and what is special about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from connectors.nats.conftest import NatsStand
from real.nats import alone, available

from isthmus.connectors.nats.source import NatsConsumer
from isthmus.connectors.port import Exclusive
from isthmus.connectors.source_suite import SOURCE_CLAUSES, SourceClause, SourceStand, Taker
from isthmus.connectors.suite import clause_name
from isthmus.core import Rejected, derive_id


class NatsSourceStand:
    """What is not settled is what the newest consumer has pending, acknowledged or not."""

    window = 8

    def __init__(self, stand: NatsStand) -> None:
        self.stand = stand
        self.door = stand.door

    def source(self, **changes: Any) -> NatsConsumer:
        return NatsConsumer("cells", self.stand.source(window=self.window, **changes))

    async def put(self, key: str, number: int) -> bytes:
        body = json.dumps({"id": f"{key}-{number}"}).encode()
        headers = {"Nats-Msg-Id": derive_id("put", key, str(number)), "Isthmus-Ordering-Key": key}
        await self.stand.js.publish(self.stand.subject, body, headers=headers)
        return body

    async def behave(self, behaviour: Literal["takes", "down"]) -> None:
        await self.stand.door.become("open" if behaviour == "takes" else "shut")

    async def left(self) -> int:
        infos = await self.stand.js.consumers_info(self.stand.stream)
        newest = max((one for one in infos if one.name.startswith("south-")), key=lambda one: one.name, default=None)
        if newest is None:
            return (await self.stand.js.stream_info(self.stand.stream)).state.messages
        return int(newest.num_pending or 0) + int(newest.num_ack_pending or 0)


@pytest.fixture
async def source_stand(stand: NatsStand) -> AsyncIterator[NatsSourceStand]:
    await stand.make()
    return NatsSourceStand(stand)


@pytest.mark.parametrize("clause", SOURCE_CLAUSES, ids=clause_name)
async def test_source_contract(clause: SourceClause, source_stand: SourceStand) -> None:
    await clause(source_stand)


# ---- what is special


async def test_another_node_takes_over_and_the_first_is_fenced_off(source_stand: NatsSourceStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first node holds comes to the second at once and before anything newer; the first gets nothing more."""
    monkeypatch.setattr("isthmus.connectors.nats.source.STAND_BY", 0.2)
    bodies = [await source_stand.put("a", number) for number in range(3)]
    first, second = Taker(), Taker("taken")
    one, other = source_stand.source(), source_stand.source()
    await one.start(first.accept)
    await first.has(1)
    await other.start(second.accept)
    bodies.append(await source_stand.put("a", 3))
    await second.has(4)
    assert second.bodies == bodies
    first.handed[0].answer("taken")  # late: it belongs to a consumer that is gone
    await until(lambda: one.counts["taken-over"] == 1)
    assert len(first.handed) == 1
    await other.stop()
    first.said = "taken"
    bodies.append(await source_stand.put("a", 4))
    await until(lambda: first.bodies[-1] == bodies[-1])
    assert len(first.handed) == 2, "the first goes on where the second stopped"
    await one.stop()


async def test_a_message_that_is_missing_is_noticed_and_comes_in_its_place(source_stand: NatsSourceStand) -> None:
    """A thief asks our consumer for one message: what follows must not be handed over before it."""
    taker = Taker("taken")
    source = source_stand.source()
    await source.start(taker.accept)
    bodies = [await source_stand.put("a", 0)]
    await taker.has(1)
    source.pause()
    await asyncio.sleep(0)
    js, stream = source_stand.stand.js, source_stand.stand.stream
    name = max(one.name for one in await js.consumers_info(stream))
    bodies += [await source_stand.put("a", number) for number in range(1, source_stand.window + 1)]  # fills our request
    thief = await js.pull_subscribe_bind(name, stream=stream)
    bodies.append(await source_stand.put("a", source_stand.window + 1))
    stolen = await thief.fetch(1, timeout=5)
    bodies += [await source_stand.put("a", number) for number in range(source_stand.window + 2, source_stand.window + 5)]
    source.resume()
    await until(lambda: taker.bodies[-1] == bodies[-1])
    assert stolen, "it did not hurt"
    assert source.counts["gap"] == 1, "it did not hurt"
    assert list(dict.fromkeys(taker.bodies)) == bodies
    await source.stop()


async def test_the_same_source_starts_again_after_stop(source_stand: NatsSourceStand) -> None:
    """As where its duty comes back to this node."""
    assert isinstance(source_stand.source(), Exclusive)
    taker = Taker("taken")
    source = source_stand.source()
    bodies = [await source_stand.put("a", 0)]
    for number in range(1, 4):
        await source.start(taker.accept)
        await taker.has(number)
        await source.stop()
        bodies.append(await source_stand.put("a", number))
    assert taker.bodies == bodies[:3]


async def test_what_is_merely_waiting_here_is_not_sent_again(source_stand: NatsSourceStand) -> None:
    taker = Taker()
    source = source_stand.source(ack_wait=1.0)
    await source.start(taker.accept)
    await source_stand.put("a", 1)
    await source_stand.put("a", 2)  # waits behind the first
    await taker.has(1)
    await asyncio.sleep(2.5)
    infos = await source_stand.stand.js.consumers_info(source_stand.stand.stream)
    assert max(infos, key=lambda one: one.name).num_redelivered == 0
    taker.said = "taken"
    taker.handed[0].answer("taken")
    await taker.has(2)
    await source.stop()


async def test_keys_go_side_by_side_and_each_in_order(source_stand: NatsSourceStand) -> None:
    for number in range(2):
        for key in "abc":
            await source_stand.put(key, number)
    taker = Taker()
    source = source_stand.source()
    await source.start(taker.accept)
    await taker.has(3)
    await asyncio.sleep(0.2)
    assert [json.loads(one)["id"] for one in taker.bodies] == ["a-0", "b-0", "c-0"], "the second of a key waits for the first"
    taker.handed[1].answer("taken")
    await taker.has(4)
    assert json.loads(taker.bodies[3])["id"] == "b-1", "and for nothing else"
    taker.said = "taken"
    for place in (0, 2, 3):
        taker.handed[place].answer("taken")
    await taker.has(6)
    await source.stop()


async def test_messages_that_the_stream_removed_unread_are_counted(stand: NatsStand) -> None:
    await stand.make(max_age=1, duplicate_window=1)
    source_stand = NatsSourceStand(stand)
    taker = Taker("taken")
    source = source_stand.source()
    await source.start(taker.accept)
    await source_stand.put("a", 0)
    await taker.has(1)
    await source.stop()
    for number in range(1, 4):
        await source_stand.put("a", number)
    async with asyncio.timeout(20):
        while (await stand.js.stream_info(stand.stream)).state.messages:
            await asyncio.sleep(0.05)
    again = source_stand.source()
    await again.start(taker.accept)
    last = await source_stand.put("a", 4)
    await taker.has(2)
    await again.stop()
    assert taker.bodies[1:] == [last]
    assert 1 <= again.counts["removed-unread"] <= 3, "a server may have moved our place over some of them by itself"


async def test_only_our_subjects_are_taken(source_stand: NatsSourceStand) -> None:
    js, stream = source_stand.stand.js, source_stand.stand.stream
    for subject in ("a.1", "b.1", "c.1", "a.2"):
        await js.publish(f"{stream}.{subject}", subject.encode())
    taker = Taker("taken")
    source = source_stand.source(subjects=(f"{stream}.a.*", f"{stream}.c.>"))
    await source.start(taker.accept)
    await taker.has(3)
    await source.stop()
    assert taker.bodies == [b"a.1", b"c.1", b"a.2"]
    assert source.counts == {}


async def test_a_stream_that_is_not_there_is_told_at_the_start(stand: NatsStand) -> None:
    with pytest.raises(Rejected, match="no-stream"):
        await NatsConsumer("cells", stand.source()).start(Taker().accept)
    with pytest.raises(Rejected, match="login"):
        await NatsConsumer("cells", stand.source(password="wrong")).start(Taker().accept)


async def until(holds: Any) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_server_that_is_killed_and_started_again(tmp_path: Any) -> None:
    """What it acknowledged is there, and the source goes on by itself, in order."""
    available()
    with alone(tmp_path) as server:
        stand = NatsStand(server)
        await stand.start()
        await stand.make()
        source_stand = NatsSourceStand(stand)
        taker = Taker("taken")
        source = source_stand.source()
        await source.start(taker.accept)
        bodies = [await source_stand.put(str(number % 7), number) for number in range(200)]
        await taker.has(50)
        server.kill()
        server.start()
        await stand.connection.connect(stand.server.url) if stand.connection.is_closed else None
        await until(lambda: len(set(taker.bodies)) == 200)
        assert source.counts["connection-lost"] + source.counts["connect"], "it did not hurt"
        for key in range(7):
            assert [one for one in dict.fromkeys(taker.bodies) if json.loads(one)["id"].startswith(f"{key}-")] == bodies[key::7]
        await source.stop()
        await stand.stop()
