"""A claim check from message to receiver through the engine's stages: the body that it stands for is there as long as it is waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from isthmus.core import Delivery, Envelope, Message
from isthmus.core.claim import CLAIM, check_in
from isthmus.core.outcome import Delivered, Receipt
from isthmus.journals.memory import MemoryJournal
from isthmus.journals.port import Arrival, Planned, Settlement, Translated
from isthmus.journals.sealing import Keyring

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=400)


@pytest.fixture
async def journal() -> MemoryJournal:
    """With one message whose document waits to be sent."""
    journal = MemoryJournal(Keyring.ephemeral())
    await journal.open()
    message = Message(id="m" * 32, interface="scans", source="scans", body=b"head|document|", received_at=NOW, correlation_id="m" * 32)
    await journal.receive([Arrival(message=message, state="received")])
    event = Envelope(
        id="e" * 32, type="document.filed", version=1, key="1", ordering_key="", correlation_id="m" * 32, causation_id="m" * 32, body=b"{}"
    )
    await journal.enrol("sink.archive", frozenset({"document.filed"}))
    await journal.translated([Translated(message_id=message.id, events=(event,))], NOW)
    check = check_in(message.id, message.body, 5, 8)
    delivery = Delivery(
        endpoint="sink", operation="PUT /1", key="1", body=msgspec.json.encode(check), content_type=CLAIM, id="d" * 32,
        subscription="sink.archive", correlation_id="m" * 32, causation_id=event.id,
    )  # fmt: skip
    (upcoming,) = await journal.upcoming("sink.archive", 10)
    await journal.planned("sink.archive", upcoming.seq, [Planned(event_id=event.id, deliveries=(delivery,))], NOW)
    return journal


async def test_the_pruner_spares_a_body_while_a_delivery_that_refers_to_it_waits(journal: MemoryJournal) -> None:
    assert (await journal.prune("scans", LATER, LATER)).messages == 0
    assert await journal.piece("m" * 32, 5, 8) == b"document"
    (claimed,) = await journal.claim("sink", 10, LATER, "me")
    assert (await journal.prune("scans", LATER, LATER)).messages == 0
    done = Settlement(
        delivery_id=claimed.delivery.id,
        outcome=Delivered((Receipt("application", "201"),)),
        state="delivered",
        started_at=LATER,
        ended_at=LATER,
    )
    await journal.settle([done], "me")
    assert (await journal.prune("scans", LATER, LATER)).messages == 1
    assert await journal.piece("m" * 32, 5, 8) == b""
