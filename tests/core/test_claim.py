"""Claim checks: made without copies, redeemed in pieces, never taken for whole when they are not."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core import Bug, ClaimCheck, Delivery, Invalid, Rejected
from isthmus.core import claim as claims
from isthmus.core.claim import CLAIM, check_in, claimed, decoded, redeemed


def _reader(body: bytes, *, id: str = "m") -> claims.ReadPiece:
    async def read(message_id: str, start: int, length: int) -> bytes:
        return body[start : start + length] if message_id == id else b""

    return read


async def _all(pieces: AsyncIterator[bytes]) -> list[bytes]:
    return [piece async for piece in pieces]


@given(
    content=st.binary(max_size=300),
    cuts=st.lists(st.integers(1, 40), max_size=30),
    broken=st.sampled_from(["", "\n", "\r\n", r"\.br\ "[:-1]]),
)
def test_base64_is_decoded_whatever_the_pieces(content: bytes, cuts: list[int], broken: str) -> None:
    written = base64.b64encode(content).decode()
    stored = (broken.join(textwrap.wrap(written, 17)) if broken else written).encode()
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(stored[at : at + cut])
        at += cut
    pieces.append(stored[at:])
    assert b"".join(decoded(pieces, "base64")) == content


@given(content=st.binary(max_size=100), cut=st.integers(0, 250))
def test_hex_is_decoded_whatever_the_pieces(content: bytes, cut: int) -> None:
    stored = b"\\X0D0A\\".join(textwrap.wrap(content.hex(), 11)[n].encode() for n in range(len(textwrap.wrap(content.hex(), 11))))
    assert b"".join(decoded([stored[:cut], stored[cut:]], "hex")) == content


@pytest.mark.parametrize("stored", [b"QUJD!", b"QUI=QUJD", b"QUI=" + b"QUJD", b"Q", b"QUJD\\.br", b"QU|JD"])
def test_what_is_no_base64_is_the_senders_fault(stored: bytes) -> None:
    with pytest.raises(Invalid, match="encoding"):
        b"".join(decoded([stored], "base64"))


async def test_a_claim_check_is_redeemed_to_the_same_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "PIECE", 1000)
    content = bytes(range(256)) * 40
    body = b"head|" + base64.b64encode(content) + b"|tail"
    claim = check_in("m", body, 5, len(body) - 10, stored="base64", media_type="application/pdf")
    assert (claim.size, claim.digest) == (len(content), hashlib.sha256(content).hexdigest())
    pieces = await _all(redeemed(claim, _reader(body)))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 1000
    assert msgspec.json.decode(msgspec.json.encode(claim), type=ClaimCheck) == claim


async def test_an_empty_document_is_redeemed_to_nothing() -> None:
    claim = check_in("m", b"abc", 1, 0)
    assert claim.size == 0
    assert await _all(redeemed(claim, _reader(b"abc"))) == []


async def test_a_pruned_message_and_another_one_are_refused_before_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "PIECE", 10)
    body = b"0123456789" * 5
    claim = check_in("m", body, 0, 50)
    with pytest.raises(Rejected, match="claim-gone"):
        await _all(redeemed(claim, _reader(b"")))
    changed = redeemed(claim, _reader(body[:-1] + b"X"))
    got = [await anext(changed) for _ in range(4)]
    with pytest.raises(Rejected, match="claim-digest"):
        await anext(changed)
    assert b"".join(got) == body[:40]
    with pytest.raises(Rejected, match="claim-gone"):
        await _all(redeemed(claim, _reader(body[:30])))


def test_only_a_delivery_that_says_so_carries_a_claim_check() -> None:
    delivery = Delivery(endpoint="e", operation="PUT /x", key="k", body=b"{}")
    assert claimed(delivery) is None
    with pytest.raises(Bug, match="claim"):
        claimed(msgspec.structs.replace(delivery, content_type=CLAIM))
