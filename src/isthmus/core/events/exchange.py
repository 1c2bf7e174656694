"""Exchange: what partners say about what we sent them."""

from __future__ import annotations

from isthmus.core.event import Event, canonical

OWNER = "integration"


@canonical("delivery.acknowledged", version=1, owner=OWNER, key=("endpoint", "control_id", "code"), ordered_by="control_id")
class DeliveryAcknowledged(Event, frozen=True, kw_only=True):
    """A system answered a message of ours later, by a message of its own (HL7 v2 chapter 2.9.3: deferred application acknowledgement)."""

    endpoint: str
    """The endpoint to which the acknowledged message went."""
    control_id: str
    """The control id of the acknowledged message (MSA-2)."""
    code: str
    """AA taken, AE error, AR refused (MSA-1)."""


EVENTS = (DeliveryAcknowledged,)
