"""Registrar: enters the receipts that come back later, as messages or on a connection.

A receiver's application acknowledgement (HL7 ACK in enhanced mode, ORR …) arrives as a message of its own and is translated
into a ``delivery.acknowledged`` event. The registrar follows these events from a cursor of its own, like any subscription, so
no receipt is lost to a crash between the event and the entry; a receipt entered twice is one receipt.

A client may also hear an acknowledgement that nobody waits for any more (MLLP, after the time-out). It tells the registrar, if
it can (``late``); such a receipt is known to this process only until it is entered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from isthmus.core.event import Envelope
from isthmus.core.failure import Bug, Failure
from isthmus.core.outcome import Receipt
from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import Notify, ReceiptUnmatched
from isthmus.engine.wake import Wake
from isthmus.journals.port import Outbox, Planned

NAME = "isthmus.registrar"
"""Its name among the subscriptions' positions."""

EVENT = "delivery.acknowledged"


Late = Callable[[str, Receipt], None]


@runtime_checkable
class TellsLate(Protocol):
    """A client that can tell of acknowledgements that come after their time-out: control id and receipt."""

    late: Late | None


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
        self._wake = Wake(clock)
        self._heard: list[tuple[str, str, Receipt]] = []

    def listen(self, endpoint: str, client: object) -> None:
        """Hear what this client hears late, where it can tell."""
        if isinstance(client, TellsLate):
            client.late = functools.partial(self._hear, endpoint)

    async def run(self) -> None:
        """Enter what clients have heard."""
        while True:
            while self._heard:
                endpoint, control_id, receipt = self._heard[0]
                if not await self._journal.receipt(control_id, endpoint, receipt, self._clock.now()):
                    self._notify(ReceiptUnmatched(endpoint=endpoint))
                del self._heard[0]
            await self._wake.wait()

    def _hear(self, endpoint: str, control_id: str, receipt: Receipt) -> None:
        self._heard.append((endpoint, control_id, receipt))
        self._wake()

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
