"""Outgoing: the content of one delivery on its way out; its body, or the document for which its claim check stands."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

from isthmus.core.claim import ClaimCheck, ReadPiece, claimed, redeemed
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Bug, Rejected, Transient
from isthmus.core.outcome import Reject, Retry


class Outgoing:
    """What a request carries. A document is read from the journal while it is sent, so it costs the memory of two pieces."""

    def __init__(self, delivery: Delivery, read: ReadPiece | None, name: str) -> None:
        claim = claimed(delivery)
        if claim is not None and read is None:
            raise Bug("claim", f"the client of {name} was not told where documents are kept: call redeem_from() first")
        self.outcome: Reject | Retry | None = None
        """Why the document could not be read to its end. The request ended short of its Content-Length, so it had no effect."""
        self.headers: dict[str, str] = {}
        self.data: bytes | AsyncIterator[bytes] = delivery.body
        if delivery.content_type:
            self.headers["Content-Type"] = delivery.content_type
        if claim is not None and read is not None:
            self.headers = {
                "Content-Type": claim.media_type,
                "Content-Length": str(claim.size),
                "Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(claim.digest)).decode()}:",  # RFC 9530
            }
            self.data = self._document(claim, read)

    async def _document(self, claim: ClaimCheck, read: ReadPiece) -> AsyncIterator[bytes]:
        try:
            async for piece in redeemed(claim, read):
                yield piece
        except Rejected as failure:
            self.outcome = Reject(failure.code, failure.detail)
            raise
        except Transient as failure:
            self.outcome = Retry(failure.code, failure.detail, failure.after)
            raise
