"""Registrar: enters the receipts that come back as messages.

A receiver's application acknowledgement (HL7 ACK in enhanced mode, ORR …) arrives as a message of its own and is translated
into a ``delivery.acknowledged`` event. The registrar follows these events from a cursor of its own, like any subscription, so
no receipt is lost to a crash between the event and the entry; a receipt entered twice is one receipt.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from isthmus.core.event import Envelope
from isthmus.core.failure import Bug, Failure
from isthmus.core.outcome import Receipt
from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import Notify, ReceiptUnmatched
from isthmus.journals.port import Outbox, Planned

NAME = "isthmus.registrar"
"""Its name among the subscriptions' positions."""

EVENT = "delivery.acknowledged"


class Acknowledged(Struct, frozen=True):
    """What it reads of the event."""

    endpoint: str
    control_id: str
    """Of the message that we sent: the delivery's key."""
    code: str
    """``AA``, ``AE``, ``AR``."""


_decode = msgspec.json.Decoder(Acknowledged).decode


class Registrar:
    def __init__(self, journal: Outbox, *, clock: Clock, notify: Notify) -> None:
        self._journal = journal
        self._clock = clock
        self._notify = notify

    async def plan(self, envelopes: Sequence[Envelope]) -> Sequence[Planned | Failure]:
        """Enter the receipts; such an event becomes no deliveries."""
        return [await self._enter(envelope) for envelope in envelopes]

    async def _enter(self, envelope: Envelope) -> Planned | Failure:
        try:
            said = _decode(envelope.body)
        except msgspec.MsgspecError:
            return Bug("event-fields", f"{EVENT} version {envelope.version} must have endpoint, control_id and code, all text")
        receipt = Receipt("application", said.code)
        if not await self._journal.receipt(said.control_id, said.endpoint, receipt, self._clock.now()):
            self._notify(ReceiptUnmatched(endpoint=said.endpoint, event_id=envelope.id))
        return Planned(event_id=envelope.id)
