"""Rows and values: what is sealed under which name, and how rows become the port's values again.

The name (``aad``) holds noun and id, so that a sealed column moved to another row does not open. A body that was pruned is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import asyncpg
import msgspec

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Receipt
from isthmus.journals.port import Arrival, Stored, StoredDelivery
from isthmus.journals.postgres.locator import Entry, token_entry
from isthmus.journals.sealing import Keyring
from isthmus.journals.sealing.chunks import open_piece, seal_chunks

Row = asyncpg.Record

_pack = msgspec.msgpack.Encoder().encode
_message_head = msgspec.msgpack.Decoder(tuple[str, str, str, bytes])
_pair = msgspec.msgpack.Decoder(tuple[str, str])
_answers = msgspec.msgpack.Decoder(tuple[Answer, ...])


class Seals:
    """Seals values into columns and opens columns into values, with one site's key ring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    # ---- tokens -------------------------------------------------------------------------------------------------------------

    def kind(self, kind: str) -> bytes:
        return self._keyring.token("message kind", kind)

    def identifier(self, value: str) -> Entry:
        return token_entry(self._keyring.token("identifier", value))

    def key(self, endpoint: str, key: str) -> Entry:
        return token_entry(self._keyring.token("delivery key", f"{endpoint}\0{key}"))

    def line(self, ordering_key: str) -> bytes:
        """Empty where no order is promised."""
        return self._keyring.token("ordering key", ordering_key) if ordering_key else b""

    # ---- bodies and heads -----------------------------------------------------------------------------------------------------

    def body(self, noun: str, id: str, body: bytes) -> bytes:
        return self._keyring.seal(body, f"{noun} {id}".encode())

    def pieces(self, message_id: str, body: bytes) -> Iterator[bytes]:
        return seal_chunks(self._keyring, body, f"message {message_id}".encode())

    def open_piece(self, message_id: str, sealed: Sequence[bytes], size: int, start: int, length: int) -> bytes:
        return open_piece(self._keyring, sealed, size, f"message {message_id}".encode(), start=start, length=length)

    def open_body(self, noun: str, id: str, sealed: bytes | None) -> bytes:
        return self._keyring.open(sealed, f"{noun} {id}".encode()) if sealed is not None else b""

    def message_head(self, arrival: Arrival) -> bytes:
        message = arrival.message
        return self._keyring.seal(
            _pack((message.kind, message.sender, message.control_id, arrival.ack)), f"message head {message.id}".encode()
        )

    def pair(self, noun: str, id: str, first: str, second: str) -> bytes:
        """Key and ordering key of an event or delivery; code and reference of a receipt."""
        return self._keyring.seal(_pack((first, second)), f"{noun} head {id}".encode())

    def _open_pair(self, noun: str, id: str, sealed: bytes) -> tuple[str, str]:
        return _pair.decode(self._keyring.open(sealed, f"{noun} head {id}".encode()))

    def detail(self, subject: str, detail: str) -> bytes | None:
        return self._keyring.seal(detail.encode("utf-8", "replace"), f"detail {subject}".encode()) if detail else None

    def open_detail(self, subject: str, sealed: bytes | None) -> str:
        return self._keyring.open(sealed, f"detail {subject}".encode()).decode() if sealed is not None else ""

    def answers(self, event_id: str, subscription: str, answers: tuple[Answer, ...]) -> bytes:
        return self._keyring.seal(_pack(answers), f"answers {event_id} {subscription}".encode())

    def open_answers(self, event_id: str, subscription: str, sealed: bytes | None) -> tuple[Answer, ...]:
        return _answers.decode(self._keyring.open(sealed, f"answers {event_id} {subscription}".encode())) if sealed is not None else ()

    # ---- rows -------------------------------------------------------------------------------------------------------------------

    def acknowledgement(self, message_id: str, head: bytes) -> bytes:
        return self._open_message_head(message_id, head)[3]

    def _open_message_head(self, id: str, head: bytes) -> tuple[str, str, str, bytes]:
        return _message_head.decode(self._keyring.open(head, f"message head {id}".encode()))

    def message(self, row: Row, body: bytes | None = None) -> Message:
        """``body``: where it lies in pieces."""
        message_id = row["id"]
        kind, sender, control_id, _ = self._open_message_head(message_id, row["head"])
        return Message(
            id=message_id,
            interface=row["interface"],
            source=row["source"],
            body=self.open_body("message", message_id, row["sealed"]) if body is None else body,
            received_at=row["received_at"],
            correlation_id=row["correlation_id"],
            kind=kind,
            sender=sender,
            control_id=control_id,
        )

    def stored(self, row: Row) -> Stored:
        kind, sender, control_id, _ = self._open_message_head(row["id"], row["head"])
        return Stored(
            id=row["id"],
            seq=row["seq"],
            interface=row["interface"],
            source=row["source"],
            kind=kind,
            sender=sender,
            control_id=control_id,
            correlation_id=row["correlation_id"],
            received_at=row["received_at"],
            size=row["size"],
            state=row["state"],
            reason=row["reason"],
        )

    def envelope(self, row: Row) -> Envelope:
        event_id = row["id"]
        key, ordering_key = self._open_pair("event", event_id, row["head"])
        return Envelope(
            id=event_id,
            type=row["type"],
            version=row["version"],
            key=key,
            ordering_key=ordering_key,
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
            body=self.open_body("event", event_id, row["sealed"]),
            seq=row["seq"],
        )

    def delivery(self, row: Row) -> Delivery:
        delivery_id = row["id"]
        key, ordering_key = self._open_pair("delivery", delivery_id, row["head"])
        return Delivery(
            endpoint=row["endpoint"],
            operation=row["operation"],
            key=key,
            body=self.open_body("delivery", delivery_id, row["sealed"]),
            ordering_key=ordering_key,
            content_type=row["content_type"],
            id=delivery_id,
            subscription=row["subscription"],
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
            supersedes=row["supersedes"],
        )

    def stored_delivery(self, row: Row) -> StoredDelivery:
        key, ordering_key = self._open_pair("delivery", row["id"], row["head"])
        return StoredDelivery(
            id=row["id"],
            seq=row["seq"],
            endpoint=row["endpoint"],
            subscription=row["subscription"],
            operation=row["operation"],
            key=key,
            ordering_key=ordering_key,
            causation_id=row["causation_id"],
            correlation_id=row["correlation_id"],
            created_at=row["created_at"],
            state=row["state"],
            attempts=row["attempts"],
            not_before=row["not_before"],
            reason=row["reason"],
            behind=row["behind"],
        )

    def ordering_key(self, row: Row) -> str:
        """Of a delivery."""
        return self._open_pair("delivery", row["id"], row["head"])[1]

    def receipt(self, delivery_id: str, kind: str, head: bytes) -> Receipt:
        code, reference = self._open_pair("receipt", delivery_id, head)
        return Receipt(kind, code, reference)  # type: ignore[arg-type]  # the column holds nothing else


def columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows turned into the arrays that a query unnests."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    return turned or [[] for _ in range(width)]
