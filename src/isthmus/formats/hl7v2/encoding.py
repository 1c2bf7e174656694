"""Encoding: delimiters and charset of one message together; all that a field needs to become text, and text to become a field."""

from __future__ import annotations

from isthmus.core.failure import Bug
from isthmus.formats.hl7v2.charset import ASCII, Charset
from isthmus.formats.hl7v2.delimiters import STANDARD, Delimiters
from isthmus.formats.hl7v2.escape import Escapes, escapes
from isthmus.formats.hl7v2.giants import Giants

NULL = b'""'
"""The explicit null: delete what you hold, as distinct from nothing said (HL7 v2.5.1 §2.5.3)."""


class Encoding:
    """Shared by all segments of a message."""

    __slots__ = (
        "_nothing", "charset", "codec", "component", "delimiters", "escape", "field", "giants", "levels", "repetition", "subcomponent",
    )  # fmt: skip

    def __init__(self, delimiters: Delimiters, charset: Charset, giants: Giants | None = None) -> None:
        self.giants = giants
        """What was taken out of a large message, for whoever reads it."""
        self.delimiters = delimiters
        self.charset = charset
        self.codec = charset.codec
        self.field = delimiters.field
        self.component = delimiters.component
        self.repetition = delimiters.repetition
        self.escape = delimiters.escape
        self.subcomponent = delimiters.subcomponent
        self.levels = tuple(filter(None, (delimiters.repetition, delimiters.component, delimiters.subcomponent)))
        """What a field is split at, from the outside in."""
        self._nothing = b" " + self.component + self.repetition + self.subcomponent

    def text(self, raw: bytes) -> str:
        """What the bytes say: decoded, without escapes; empty for the explicit null.

        Trailing blanks carry no meaning in any type of HL7 (ST: "trailing blanks optional") and are dropped; leading ones stay.
        """
        if not raw or raw == NULL:
            return ""
        if self.giants is not None:
            raw = self.giants.restore(raw)
        try:
            text = raw.decode(self.codec)
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        if self.escape and self.escape in raw:
            text = self.escapes.read(text)
        return text.rstrip(" ")

    def whole(self, raw: bytes) -> bytes:
        """A part of the message as it was sent."""
        return raw if self.giants is None else self.giants.restore(raw)

    @property
    def escapes(self) -> Escapes:
        return escapes(self.delimiters, self.codec, self.charset.escaped)

    def write(self, text: str) -> bytes:
        """Text as a value: escaped and encoded; raises ``Bug`` where the message's charset has no such character."""
        text = self.escapes.write(text)
        try:
            return text.encode(self.codec)
        except UnicodeEncodeError:
            raise Bug("charset", f"a character cannot be written in {self.codec}, the charset of this message; build it in UTF-8") from None

    def split(self, raw: bytes, delimiter: bytes) -> list[bytes]:
        return raw.split(delimiter) if delimiter else [raw]

    def empty(self, raw: bytes) -> bool:
        """True where nothing is said: only delimiters and blanks, or the explicit null."""
        return not raw or raw == NULL or not raw.strip(self._nothing)


USUAL = Encoding(STANDARD, ASCII)
"""What nearly every message is written in."""
