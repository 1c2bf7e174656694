"""Claim check (EIP): a large part of a message is not carried through events and deliveries, but referred to.

A translator makes one of a place in its message; the journal keeps the bytes anyway. Events and deliveries hold the claim check, which is
data of some 200 bytes, so replay, diff and dry run stay pure. Who sends the content on redeems it, piece by piece, just then.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug, Invalid, Rejected

CLAIM = "application/vnd.isthmus.claim+json"
"""Content type of a delivery whose body is not what is sent, but the claim check of it."""
PIECE = 1 << 20
"""Bytes of the message that are read at once when a claim is redeemed."""

Stored = Literal["plain", "base64", "hex"]
"""How the content stands in the message. Line breaks, blanks and HL7's escapes of them may stand inside base64 and hex."""
ReadPiece = Callable[[str, int, int], Awaitable[bytes]]
"""``Archive.piece``: message id, start, length."""

_BETWEEN = re.compile(rb"[ \t\r\n]+|\\(?:\.br|X(?:0[9ADad]|20)+|E)\\")
"""What may stand inside base64 or hex without meaning anything: blanks, and an HL7 sender's escapes of line breaks."""
_CUT = 64
"""Bytes in which an escape that was begun has to end."""
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HEX = b"0123456789abcdefABCDEF"


class ClaimCheck(Struct, frozen=True, kw_only=True):
    """Where in which message the content stands, and by what it is known again."""

    message_id: str
    """Of the message that holds it."""
    start: int
    length: int
    """Bytes of the message's original body."""
    stored: Stored = "plain"
    size: int
    """Bytes of the content, once it is decoded."""
    digest: str
    """SHA-256 of the content, in hexadecimal digits."""
    media_type: str = "application/octet-stream"


def check_in(message_id: str, body: bytes, start: int, length: int, *, stored: Stored = "plain", media_type: str = "") -> ClaimCheck:
    """The claim check of a range of a body; reads it once and copies nothing of it. Raises ``Invalid`` (``encoding``) where it is not
    what ``stored`` says.
    """
    digest, size = hashlib.sha256(), 0
    view = memoryview(body)
    for content in decoded((view[at : min(at + PIECE, start + length)] for at in range(start, start + length, PIECE)), stored):
        digest.update(content)
        size += len(content)
    return ClaimCheck(
        message_id=message_id,
        start=start,
        length=length,
        stored=stored,
        size=size,
        digest=digest.hexdigest(),
        media_type=media_type or "application/octet-stream",
    )


def decoded(pieces: Iterable[bytes | memoryview], stored: Stored) -> Iterator[bytes | memoryview]:
    """The content, from the pieces of what is stored; as much memory as one piece."""
    decoder = Decoder(stored)
    for piece in pieces:
        yield decoder.feed(piece)
    yield decoder.close()


class Decoder:
    """Takes what is stored in pieces of any size, gives the content. Raises ``Invalid`` (``encoding``)."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._rest = b""
        """Begun and not ended: an escape, or a group of base64 or hex digits."""
        self._ended = False
        """Base64's padding was seen."""

    def feed(self, piece: bytes | memoryview) -> bytes | memoryview:
        return piece if self._stored == "plain" else self._decode(self._rest + piece, last=False)

    def close(self) -> bytes:
        return b"" if self._stored == "plain" else self._decode(self._rest, last=True)

    def _decode(self, raw: bytes, *, last: bool) -> bytes:
        digits, group = (_BASE64, 4) if self._stored == "base64" else (_HEX, 2)
        cut = b""
        if not raw.isalnum() and raw.translate(None, digits):
            if not last and raw.count(b"\\") % 2:
                at = raw.rindex(b"\\")
                raw, cut = raw[:at], raw[at:]
                if len(cut) > _CUT:
                    raise self._wrong()
            raw = _BETWEEN.sub(b"", raw)
        if self._stored == "base64":
            raw = self._unpadded(raw)
            last = last or self._ended
        if raw.translate(None, digits):
            raise self._wrong()
        whole = len(raw) if last else len(raw) - len(raw) % group
        self._rest = raw[whole:] + cut
        try:
            return binascii.unhexlify(raw[:whole]) if self._stored == "hex" else binascii.a2b_base64(_padded(raw[:whole]))
        except binascii.Error:
            raise self._wrong() from None

    def _unpadded(self, raw: bytes) -> bytes:
        body = raw.rstrip(b"=")
        if self._ended and body:
            raise self._wrong()  # something after the padding: two contents in one place
        self._ended = self._ended or len(body) < len(raw)
        return body

    def _wrong(self) -> Invalid:
        return Invalid("encoding", f"the embedded document is no {self._stored}: send it as the field that names its encoding says")


def _padded(raw: bytes) -> bytes:
    return raw + b"=" * (-len(raw) % 4)


def claimed(delivery: Delivery) -> ClaimCheck | None:
    """The claim check that a delivery carries in place of its content; None where its body is the content."""
    if delivery.content_type != CLAIM:
        return None
    try:
        return msgspec.json.decode(delivery.body, type=ClaimCheck)
    except msgspec.MsgspecError:
        raise Bug("claim", f"a delivery of type {CLAIM} holds a claim check: build it by the words of its endpoint") from None


async def redeemed(claim: ClaimCheck, read: ReadPiece) -> AsyncIterator[bytes]:
    """The content, piece by piece. Raises ``Rejected`` where the message does not hold it any more (``claim-gone``) or holds something
    else (``claim-digest``); in either case before the last byte was handed out, so that a receiver never takes it for whole.
    """
    decoder, digest, size = Decoder(claim.stored), hashlib.sha256(), 0
    held = b""
    at, end = claim.start, claim.start + claim.length
    while at < end:
        piece = await read(claim.message_id, at, min(PIECE, end - at))
        if not piece:
            raise Rejected("claim-gone", "the message that holds the document was pruned, or is not in this journal: let it be sent again")
        at += len(piece)
        content = bytes(decoder.feed(piece))
        digest.update(content)
        size += len(content)
        if held:
            yield held
        held = content
    last = decoder.close()
    digest.update(last)
    if digest.hexdigest() != claim.digest or size + len(last) != claim.size:
        raise Rejected("claim-digest", "the message does not hold what the claim check was made of: let it be sent again")
    if held or last:
        yield held + last
