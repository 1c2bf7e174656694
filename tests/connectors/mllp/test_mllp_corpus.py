"""A simulated hospital's whole feed over eight connections: every message arrives byte for byte and is answered under its own id."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from isthmus.connectors.mllp import MllpSource
from isthmus.connectors.mllp.practice import PracticeSender
from isthmus.connectors.mllp.source import MllpListener
from isthmus.connectors.port import Reply
from isthmus.formats.hl7v2 import Hl7, acknowledge, read_acknowledgement, split

CORPUS = Path(__file__).parents[3].parent / "shared" / "corpus" / "hl7v2"
pytestmark = pytest.mark.corpus


def feed() -> list[bytes]:
    folder = CORPUS / "simhospital"
    if not folder.is_dir():
        pytest.skip("the public message corpus is not beside this checkout")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [message for path in files for message in split(path.read_bytes()).messages]


async def test_the_feed_of_a_simulated_hospital() -> None:
    messages = feed()
    assert len(messages) >= 531
    taken: list[bytes] = []

    def accept(_source: str, body: bytes, _peer: str, reply: Reply) -> None:
        taken.append(body)
        reply(acknowledge(body, "accepted", (), reply_id="R", at="20260101000000"), "taken")

    listener = MllpListener("clinical", MllpSource())
    await listener.start(accept)

    async def play(share: list[bytes]) -> None:
        async with PracticeSender("127.0.0.1", listener.port) as sender:
            for message in share:
                answer = read_acknowledgement(await sender.ask(message) or b"")
                assert answer.control_id == Hl7(message).control_id

    await asyncio.gather(*(play(messages[line::8]) for line in range(8)))
    await listener.stop()
    assert sorted(taken) == sorted(messages)
    assert listener.counts == {}
