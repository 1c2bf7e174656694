"""Unplannable: an event that could not become deliveries, because a question about it was rejected.

It is neither skipped nor does it hold the events behind it: it becomes a dead letter of its own, in place of the deliveries
that it should have become. So it is counted, found and shown like any dead letter, and it holds its ordering key (this
patient, this order) and nothing else. Once its cause is mended, reprocessing the message plans the event anew.
"""

from __future__ import annotations

import msgspec

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.failure import Failure
from isthmus.core.ids import derive_id
from isthmus.core.outcome import Reject

OPERATION = "isthmus.unplannable"
"""The operation of such a delivery. No client is ever asked to carry it out; the courier makes it a dead letter."""


def dead_letter(envelope: Envelope, subscription: str, endpoint: str, failure: Failure) -> Delivery:
    key = f"unplannable/{envelope.type}/{envelope.key}"
    return Delivery(
        endpoint=endpoint,
        operation=OPERATION,
        key=key,
        body=msgspec.json.encode({"code": failure.code, "detail": failure.detail}),
        ordering_key=envelope.ordering_key,
        id=derive_id("delivery", envelope.id, subscription, key),
        subscription=subscription,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.id,
    )


def outcome(delivery: Delivery) -> Reject:
    """What an attempt to send it comes to."""
    reason = msgspec.json.decode(delivery.body, type=dict[str, str])
    return Reject(reason["code"], reason["detail"])
