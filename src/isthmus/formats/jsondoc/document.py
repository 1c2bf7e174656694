"""Json: one document per message. What kind it is and how it is numbered is said by fields of the document itself."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from isthmus.core.contract import Header, Verdict, Violation
from isthmus.core.failure import Invalid

T = TypeVar("T")
_BOM = b"\xef\xbb\xbf"


class JsonDocument:
    """The bytes as they came, their value, and typed reading of them."""

    __slots__ = ("body", "value")

    def __init__(self, body: bytes) -> None:
        self.body = body.removeprefix(_BOM)
        try:
            self.value: dict[str, Any] = msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Invalid("unreadable", "the document: send one JSON object, encoded as UTF-8") from None

    def read(self, shape: type[T]) -> T:
        """The document as a struct; raises ``Invalid`` where it is none, which a contract of the same shape has found before."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.MsgspecError, RecursionError):
            raise Invalid("shape", f"the document is no {shape.__name__}: send it as the interface's README shows") from None

    def text(self, field: str) -> str:
        """A field at the top as text; empty where it is absent or holds no single value."""
        value = self.value.get(field)
        return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


class Json:
    """The format. ``kind`` is what a document is that does not say so in ``kind_field``.

    ``id_field`` names the sender's own number of the message, ``identifiers`` the fields by which it can be found again, as pairs of
    the identifier's kind and the field's name.
    """

    name = "json"

    def __init__(
        self,
        kind: str = "json",
        *,
        kind_field: str = "kind",
        id_field: str = "id",
        sender_field: str = "sender",
        identifiers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._kind, self._kind_field = kind, kind_field
        self._id_field, self._sender_field = id_field, sender_field
        self._identifiers = identifiers

    def header(self, body: bytes) -> Header:
        document = JsonDocument(body)
        return Header(
            kind=document.text(self._kind_field) or self._kind,
            sender=document.text(self._sender_field),
            control_id=document.text(self._id_field),
        )

    def open(self, body: bytes) -> JsonDocument:
        return JsonDocument(body)

    def identifiers(self, document: JsonDocument) -> tuple[tuple[str, str], ...]:
        found = ((kind, document.text(field)) for kind, field in self._identifiers)
        return tuple((kind, value) for kind, value in found if value)

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        """``{"status": "invalid", "id": …, "at": …, "violations": [{"where", "rule", "cure", "severity"}]}``"""
        del body  # the answer goes back over the connection on which the document came
        return msgspec.json.encode({"status": verdict, "id": reply_id, "at": at, "violations": violations})
