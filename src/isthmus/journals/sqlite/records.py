"""What is sealed, in which layout, and bound to which place. Everything that can carry an identifier is in here and nowhere else.

Layouts are MessagePack arrays; a field is added at the end, with a default, and never removed.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.lookup import Answer
from isthmus.core.outcome import Receipt
from isthmus.journals.sealing import Keyring


class MessageHead(Struct, frozen=True, array_like=True):
    kind: str
    sender: str
    control_id: str
    correlation_id: str | None
    """None: the message's own id, as it mostly is."""
    ack: bytes


class _Event(Struct, frozen=True, array_like=True):
    key: str
    ordering_key: str
    correlation_id: str
    causation_id: str
    body: bytes


class _Delivery(Struct, frozen=True, array_like=True):
    operation: str
    key: str
    ordering_key: str
    content_type: str
    correlation_id: str
    causation_id: str
    supersedes: str
    body: bytes


class StepRecord(Struct, frozen=True, array_like=True):
    code: str = ""
    detail: str = ""
    by: str = ""
    seconds: float | None = None
    receipts: tuple[tuple[str, str, str], ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(MessageHead).decode
_event = msgspec.msgpack.Decoder(_Event).decode
_delivery = msgspec.msgpack.Decoder(_Delivery).decode
_step = msgspec.msgpack.Decoder(StepRecord).decode
_violations = msgspec.msgpack.Decoder(tuple[Violation, ...]).decode
_answers = msgspec.msgpack.Decoder(tuple[Answer, ...]).decode


def seal_head(keyring: Keyring, id: str, head: MessageHead) -> bytes:
    return keyring.seal(_encode(head), b"head " + id.encode())


def open_head(keyring: Keyring, id: str, sealed: bytes) -> MessageHead:
    return _head(keyring.open(sealed, b"head " + id.encode()))


def body_aad(id: str) -> bytes:
    """What a message's body, or each chunk of it, is bound to."""
    return b"message " + id.encode()


def seal_event(keyring: Keyring, event: Envelope) -> bytes:
    record = _Event(event.key, event.ordering_key, event.correlation_id, event.causation_id, event.body)
    return keyring.seal(_encode(record), b"event " + event.id.encode())


def open_event(keyring: Keyring, row: tuple[int, str, str, int, bytes]) -> Envelope:
    """From seq, id, type, version and what is sealed."""
    seq, id, type, version, sealed = row
    record = _event(keyring.open(sealed, b"event " + id.encode()))
    return Envelope(
        id=id,
        type=type,
        version=version,
        key=record.key,
        ordering_key=record.ordering_key,
        correlation_id=record.correlation_id,
        causation_id=record.causation_id,
        body=record.body,
        seq=seq,
    )


def seal_delivery(keyring: Keyring, delivery: Delivery) -> bytes:
    record = _Delivery(
        delivery.operation,
        delivery.key,
        delivery.ordering_key,
        delivery.content_type,
        delivery.correlation_id,
        delivery.causation_id,
        delivery.supersedes,
        delivery.body,
    )
    return keyring.seal(_encode(record), b"delivery " + delivery.id.encode())


def open_delivery(keyring: Keyring, id: str, endpoint: str, subscription: str, sealed: bytes) -> Delivery:
    record = _delivery(keyring.open(sealed, b"delivery " + id.encode()))
    return Delivery(
        endpoint=endpoint,
        operation=record.operation,
        key=record.key,
        body=record.body,
        ordering_key=record.ordering_key,
        content_type=record.content_type,
        id=id,
        subscription=subscription,
        correlation_id=record.correlation_id,
        causation_id=record.causation_id,
        supersedes=record.supersedes,
    )


def behead_event(keyring: Keyring, id: str, sealed: bytes) -> bytes:
    """The same event without its body: what stays after pruning."""
    aad = b"event " + id.encode()
    return keyring.seal(_encode(msgspec.structs.replace(_event(keyring.open(sealed, aad)), body=b"")), aad)


def behead_delivery(keyring: Keyring, id: str, sealed: bytes) -> bytes:
    aad = b"delivery " + id.encode()
    return keyring.seal(_encode(msgspec.structs.replace(_delivery(keyring.open(sealed, aad)), body=b"")), aad)


def seal_step(keyring: Keyring, seq: int, step: StepRecord) -> bytes:
    return keyring.seal(_encode(step), b"step %d" % seq)


def open_step(keyring: Keyring, seq: int, sealed: bytes | None) -> StepRecord:
    return StepRecord() if sealed is None else _step(keyring.open(sealed, b"step %d" % seq))


def receipts_in(step: StepRecord) -> tuple[Receipt, ...]:
    return tuple(msgspec.convert({"kind": kind, "code": code, "reference": reference}, Receipt) for kind, code, reference in step.receipts)


def seal_violations(keyring: Keyring, message: int, violations: tuple[Violation, ...]) -> bytes:
    return keyring.seal(_encode(violations), b"violations %d" % message)


def open_violations(keyring: Keyring, message: int, sealed: bytes) -> tuple[Violation, ...]:
    return _violations(keyring.open(sealed, b"violations %d" % message))


def seal_answers(keyring: Keyring, place: int, answers: tuple[Answer, ...]) -> bytes:
    return keyring.seal(_encode(answers), b"answers %d" % place)


def open_answers(keyring: Keyring, place: int, sealed: bytes) -> tuple[Answer, ...]:
    return _answers(keyring.open(sealed, b"answers %d" % place))
