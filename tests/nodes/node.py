"""One of several nodes that are made to be killed, paused and cut off: a real engine on a real PostgreSQL journal, between real sockets.

    python node.py FOLDER DSN NAME PORT_OF_ENDPOINT CALLS_IN_FLIGHT LEASE

It prints ``ready PORT``, and then a line for each notice that the drills want to know about.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from engine.crash_node import Counter, Lines
from engine.house import Said, note, saying

from isthmus.core import Delivery, Outcome, Site
from isthmus.core.policy import Lane
from isthmus.engine.clock import SystemClock
from isthmus.engine.duties import Portion
from isthmus.engine.engine import Engine
from isthmus.engine.membership import Membership
from isthmus.engine.shares import Share
from isthmus.engine.telemetry import ClaimsReleased, EngineFailed, LeaseLapsed, NodeBuried, NodesChanged, Notice
from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring

KINDS = 4
"""Interfaces, so that every node has something to translate."""


class Budgeted(Counter):
    """Its calls wait for their turn, as those of all connectors do."""

    def __init__(self, port: int, share: Share) -> None:
        super().__init__(port)
        self._share = share

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        async with self._share.budget.call(lane):
            return await super().send(deliveries, timeout, lane=lane)

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        async with self._share.budget.call(lane):
            return await super().check(delivery, timeout, lane=lane)


def tell(notice: Notice) -> None:
    match notice:
        case ClaimsReleased():
            say("released", notice.claims)
        case EngineFailed():
            say("failed", notice.line())
        case NodesChanged():
            say("nodes", notice.nodes)
        case NodeBuried():
            say("buried")
        case LeaseLapsed():
            say("lapsed")
        case _:
            pass


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - read by the test


async def main(folder: Path, dsn: str, name: str, endpoint: int, limits: tuple[int, float]) -> None:
    in_flight, lease = limits
    journal = PostgresJournal(dsn, Keyring.load_or_create(folder / "keyring.json"), connections=6)
    await journal.open()
    clock = SystemClock()
    membership = Membership(journal, name, clock=clock, rng=random.Random(), notify=tell, lease=lease)
    share = Share(Portion(None, in_flight), membership, clock)
    source = Lines()
    talks = tuple(saying(f"talk.{number}", kinds=(f"K{number}",)) for number in range(KINDS))
    engine = Engine(
        Site("nodes", interfaces=talks, subscriptions=(note,), events=(Said,)),
        journal,
        {source.name: source},
        {"ward": Budgeted(endpoint, share)},
        clock=clock,
        rng=random.Random(),
        node=membership,
        pseudonym=lambda _kind, value: value,
        notify=tell,
        shares={"ward": share},
    )
    await engine.start()
    say("ready", source.port)
    await engine.wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), (int(sys.argv[5]), float(sys.argv[6]))))
