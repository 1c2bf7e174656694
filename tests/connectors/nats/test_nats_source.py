"""The NATS source keeps the contract of sources of brokers; and what is special about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from connectors.nats.conftest import NatsStand
from real.nats import NatsServer

from isthmus.connectors.nats.source import NatsConsumer
from isthmus.connectors.source_suite import SOURCE_CLAUSES, TAKEN, SourceClause, SourceStand, Taker
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
    yield NatsSourceStand(stand)


@pytest.mark.parametrize("clause", SOURCE_CLAUSES, ids=clause_name)
async def test_source_contract(clause: SourceClause, source_stand: SourceStand) -> None:
    await clause(source_stand)
