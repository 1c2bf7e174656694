"""What an interface may say to a system that speaks HL7 v2 over MLLP."""

from __future__ import annotations

from typing import SupportsBytes

from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug
from isthmus.core.ids import derive_id

CONTENT_TYPE = "x-application/hl7-v2+er7"
_ID_LENGTH = 20  # MSH-10 holds 20 characters up to version 2.6 (chapter 2.14.9.10), 199 later


class Mllp(Endpoint):
    """``Mllp("lab")``: messages as deliveries; the receiver's acknowledgement is their receipt."""

    kind = "mllp"

    def send(self, message: SupportsBytes, *, key: str, ordering_key: str = "") -> Delivery:
        """One message. Its control id (MSH-10) is set here and is the delivery's key, so acknowledgements can be matched.

        The control id derives from endpoint, business key and content: the same on every replay, and another one for a message
        that says something else under the same key, such as an order and its cancellation. A receiver that drops what it
        knows by control id would lose the second otherwise.
        """
        raw = bytes(message)
        control_id = derive_id("control", self.name, key, raw)[:_ID_LENGTH]
        fields = _header(raw)
        return Delivery(
            endpoint=self.name,
            operation=b"^".join(fields[8].split(raw[4:5])[:2]).decode("ascii", "replace"),
            key=control_id,
            body=_with_control_id(raw, control_id),
            ordering_key=ordering_key,
            content_type=CONTENT_TYPE,
        )


def _header(raw: bytes) -> list[bytes]:
    if raw[:3] != b"MSH" or len(raw) < 8:
        raise Bug("message", "what is sent over MLLP must be one HL7 v2 message: it begins with MSH and its encoding characters")
    fields = raw.partition(b"\r")[0].split(raw[3:4])
    if len(fields) < 9 or not fields[8]:
        raise Bug("message", "an outgoing message needs a type: set MSH-9")
    if any(field in (b"ER", b"SU") for field in fields[14:16]):
        raise Bug("message", "MSH-15 and MSH-16 of an outgoing message must be AL, NE or empty: with ER or SU silence would be an answer")
    return fields


def _with_control_id(raw: bytes, control_id: str) -> bytes:
    head, _, rest = raw.partition(b"\r")
    fields = head.split(raw[3:4])
    fields += [b""] * (10 - len(fields))
    fields[9] = control_id.encode()
    return raw[3:4].join(fields) + b"\r" + rest
