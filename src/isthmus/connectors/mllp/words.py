"""What an interface may say to a system that speaks HL7 v2 over MLLP."""

from __future__ import annotations

from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug, Invalid
from isthmus.core.ids import derive_id
from isthmus.formats.hl7v2 import Hl7
from isthmus.formats.hl7v2.mllp import frame

CONTENT_TYPE = "x-application/hl7-v2+er7"
_ID_LENGTH = 20  # MSH-10 holds 20 characters up to version 2.6 (v2.5.1 §2.15.9.10), 199 later


class Mllp(Endpoint):
    """``Mllp("lab")``: messages as deliveries; the receiver's acknowledgement is their receipt.

    MSH-15 and MSH-16 say which acknowledgements are asked for. Both empty: one application acknowledgement (original mode).
    MSH-15 = AL: an accept acknowledgement at once, and what MSH-16 says later.
    """

    kind = "mllp"

    def send(self, message: Hl7 | bytes, *, key: str, ordering_key: str = "") -> Delivery:
        """One message. Its control id (MSH-10) is set here and is the delivery's key, so acknowledgements can be matched.

        The control id derives from endpoint, business key and content: the same on every replay, and another one for a message
        that says something else under the same key, such as an order and its cancellation. A receiver that drops what it
        knows by control id would lose the second otherwise.
        """
        document = message if isinstance(message, Hl7) else _open(message)
        if not document.kind:
            raise Bug("message", f"a message to {self.name} needs a type: set MSH-9")
        _provable(document, self.name)
        control_id = derive_id("control", self.name, key, bytes(document))[:_ID_LENGTH]
        body = bytes(document.replace("MSH-10", control_id))
        _frameable(body, self.name)
        return Delivery(
            endpoint=self.name,
            operation=document.kind,
            key=control_id,
            body=body,
            ordering_key=ordering_key,
            content_type=CONTENT_TYPE,
        )


def _open(raw: bytes) -> Hl7:
    try:
        return Hl7(raw)
    except Invalid as failure:
        raise Bug("message", f"what is sent over MLLP must be one HL7 v2 message ({failure.code})") from failure


def _provable(message: Hl7, endpoint: str) -> None:
    """Silence must never mean success: nobody could tell it from a loss."""
    accept, application = message["MSH-15"], message["MSH-16"]
    if accept == "AL" or not (accept or application) or (accept in ("", "NE") and application == "AL"):
        return
    raise Bug("message", f"a message to {endpoint} must ask for an answer: leave MSH-15 and MSH-16 empty, or set one of them to AL")


def _frameable(body: bytes, endpoint: str) -> None:
    try:
        frame(body)
    except Invalid as failure:
        raise Bug("message", f"a message to {endpoint} holds the bytes VT or FS, which end an MLLP frame: escape them") from failure
