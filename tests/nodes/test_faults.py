"""Three nodes on one PostgreSQL under load: one is killed, paused for longer than its lease, cut off from the database, or refused it.

What was acknowledged arrives, once and in order, at a receiver that can be asked; and each fault really struck.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Literal

import pytest
from nodes.cluster import cluster, until

from isthmus.engine.membership import LEASE, WINDOW

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

NAMES = ("first", "second", "third")
SENDERS = 8
TAKEOVER = 5.0
"""Seconds, with the lease that nodes really have."""
SHORT = 1.5
"""Seconds of a lease, where a fault has to be longer than it."""


async def test_a_killed_node_is_taken_over_within_five_seconds(postgres_dsn: str, tmp_path: Path) -> None:
    async with cluster(NAMES, tmp_path, postgres_dsn, LEASE) as it:
        it.speak(SENDERS)
        await it.more(60)
        killed = it.nodes["second"]
        async with it.receiver.silent():
            killed.signal(signal.SIGKILL)
        took = await it.all_arrived(TAKEOVER)
        await killed.end()
        left = [it.nodes[name] for name in ("first", "third")]
        await until(lambda: sum(node.released for node in left) > 0, TAKEOVER)
        await until(lambda: it.receiver.found > 0, TAKEOVER - took)
        assert max(it.said_times.values()) > 1, "senders had to turn to another node, or the drill did not hurt"
        await it.more(50)
        await it.silence()
        await it.all_arrived(TAKEOVER)
        it.account()


async def test_a_node_that_is_paused_for_longer_than_its_lease_does_no_harm(postgres_dsn: str, tmp_path: Path) -> None:
    async with cluster(NAMES, tmp_path, postgres_dsn, SHORT) as it:
        it.speak(SENDERS)
        await it.more(60)
        paused = it.nodes["second"]
        async with it.receiver.silent():
            paused.signal(signal.SIGSTOP)
        others = [it.nodes[name] for name in ("first", "third")]
        await until(lambda: all(node.nodes == 2 for node in others), TAKEOVER)
        await it.all_arrived(TAKEOVER)
        assert sum(node.released for node in others) > 0, "it had claims in hand, or the drill did not hurt"
        await until(lambda: it.receiver.found > 0, TAKEOVER)
        await it.more(50)
        paused.signal(signal.SIGCONT)
        await until(lambda: "buried" in paused.said, TAKEOVER)
        await until(lambda: paused.nodes == 3, TAKEOVER)
        await asyncio.sleep(SHORT + 2 * WINDOW)  # it has its share of the receiver again, and works
        await it.more(60)
        await it.silence()
        await it.all_arrived(TAKEOVER)
        it.account()


@pytest.mark.parametrize("fault", ["deaf", "shut"])
async def test_a_node_that_is_cut_off_from_the_database_acknowledges_nothing_and_comes_back(
    postgres_dsn: str, tmp_path: Path, fault: Literal["deaf", "shut"]
) -> None:
    async with cluster(NAMES, tmp_path, postgres_dsn, SHORT) as it:
        it.speak(SENDERS)
        await it.more(60)
        cut = it.nodes["second"]
        async with it.receiver.silent():
            await cut.door.become(fault)
        await until(lambda: "lapsed" in cut.said, SHORT + 2.0)
        others = [it.nodes[name] for name in ("first", "third")]
        await until(lambda: all(node.nodes == 2 for node in others), TAKEOVER)
        await it.all_arrived(TAKEOVER)
        assert sum(node.released for node in others) > 0, "it had claims in hand, or the drill did not hurt"
        await until(lambda: it.receiver.found > 0, TAKEOVER)
        # The drill hurts when senders have to say again what it could not keep: it tries for some seconds before it says so.
        await until(lambda: max(it.said_times.values()) > 1, 15.0)
        await it.more(50)
        await cut.door.become("open")
        await until(lambda: "buried" in cut.said, 15.0)
        await until(lambda: cut.nodes == 3, TAKEOVER)
        await asyncio.sleep(SHORT + 2 * WINDOW)
        await it.more(60)
        await it.silence()
        await it.all_arrived(TAKEOVER)
        it.account()
