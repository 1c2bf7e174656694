"""Large messages: read like small ones, and their embedded documents referred to without a copy."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core import Invalid
from isthmus.core.claim import decoded
from isthmus.formats.hl7v2 import HL7V2, Contract, Hl7, acknowledge, claim, embedded, rule
from isthmus.formats.hl7v2 import document as documents
from isthmus.formats.hl7v2 import giants as giants_of

MSH = b"MSH|^~\\&|SCAN|HOSP|EHR|HOSP|20260301083000||MDM^T02^MDM_T02|C1|P|2.5.1"
PDF = bytes(range(256)) * 40


@contextmanager
def tiny() -> Iterator[None]:
    """Everything is large, and eight bytes without a delimiter are a giant."""
    with mock.patch.object(documents, "LARGE", 0), mock.patch.object(giants_of, "_BLOCK", 8):
        yield


def _message(*lines: bytes, msh: bytes = MSH) -> bytes:
    return b"\r".join((msh, *lines)) + b"\r"


_VALUE = st.one_of(
    st.sampled_from([b"", b"a", b'""', b"Doe\\T\\Jane", b"x" * 40, b"a" * 23 + b"\\.br\\" + b"b" * 31, "é".encode() * 30, b"\x02\x020\x03", b"z" * 9 + "ü".encode()]),
    st.binary(min_size=1, max_size=60).map(base64.b64encode),
)  # fmt: skip
_FIELD = st.lists(st.lists(_VALUE, min_size=1, max_size=3).map(b"^".join), min_size=1, max_size=2).map(b"~".join)
_SEGMENT = st.lists(_FIELD, min_size=1, max_size=6).map(lambda fields: b"|".join((b"OBX", *fields)))
_PATHS = [f"OBX[{n}]-{f}.{c}" for n in (1, 2, 3) for f in (1, 2, 5) for c in (1, 2)] + ["OBX-2[2].2", "OBX[2]-1[2]", "MSH-10", "MSH-2"]


@given(
    segments=st.lists(_SEGMENT, max_size=4),
    lead=st.sampled_from([b"", b"\r\n", b"\xef\xbb\xbf"]),
    page=st.sampled_from([b"", b"8859/1", b"UNICODE UTF-8"]),
)
def test_a_message_is_read_the_same_whether_giants_were_taken_out_or_not(segments: list[bytes], lead: bytes, page: bytes) -> None:
    raw = lead + _message(*segments, msh=MSH + b"||||||" + page)
    whole = Hl7(raw)
    with tiny():
        slim = Hl7(raw)
        assert [slim[path] for path in _PATHS] == [whole[path] for path in _PATHS]
        assert slim.view == whole.view
        assert bytes(slim) == raw
        assert [one.raw for one in slim] == [one.raw for one in whole]
        assert [bytes(one) for one in slim.segments("OBX")] == [bytes(one) for one in whole.segments("OBX")]
        assert [[field.text for field in (one[1], one[2])] for one in slim] == [[field.text for field in (one[1], one[2])] for one in whole]
        assert slim.values("OBX-1.2") == whole.values("OBX-1.2")
        assert [one.raw for segment in slim for one in segment[1]] == [one.raw for segment in whole for one in segment[1]]
        assert slim.oddities() == whole.oddities()
        if segments:
            assert bytes(slim.replace("OBX-3", "new")) == bytes(whole.replace("OBX-3", "new"))


@given(segments=st.lists(_SEGMENT, max_size=4), lead=st.sampled_from([b"", b"\r\n", b"\xef\xbb\xbf"]))
def test_a_claim_check_stands_for_just_the_bytes_of_the_value(segments: list[bytes], lead: bytes) -> None:
    raw = lead + _message(*segments)
    message = Hl7(raw)
    with tiny():
        slim = Hl7(raw)
        for path in _PATHS[:-1]:
            found, as_whole = claim(slim, path), claim(message, path)
            assert found == as_whole
            if found is None:
                assert message[path] == ""
            else:
                part = raw[found.start : found.start + found.length]
                assert message.encoding.text(part) == message[path]


def test_giants_were_taken_out_at_all() -> None:
    raw = _message(b"OBX|1|ED|X||^application^pdf^Base64^" + base64.b64encode(PDF))
    with tiny():
        slim = Hl7(raw)
    assert len(slim.slim) < len(raw) / 10
    assert slim["OBX-5.5"] == base64.b64encode(PDF).decode()


def test_a_contract_sees_a_giant_as_a_value() -> None:
    raw = _message(b"PID|||42", b"OBX|1|ED|X||^application^pdf^Base64^" + base64.b64encode(PDF))
    contract = Contract("MDM^T02", required=("PID-3", "OBX-5"), rules=(rule("OBX-5.5", length=10),))
    with tiny():
        document = contract.format.open(raw)
        assert contract.check(document) == contract.check(Hl7(raw)) != ()
        assert HL7V2.identifiers(document) == (("patient", "42"), ("control", "C1"))
        assert HL7V2.header(raw).kind == "MDM^T02"
        assert acknowledge(raw, "accepted", (), reply_id="r", at="20260301") == acknowledge(
            _message(), "accepted", (), reply_id="r", at="20260301"
        )


@pytest.mark.parametrize(
    ("field", "media_type", "content"),
    [
        (b"SCAN^application^pdf^Base64^" + base64.b64encode(PDF), "application/pdf", PDF),
        (b"^IM^JPEG^BASE64^" + base64.b64encode(PDF)[:64] + b"\\.br\\" + base64.b64encode(PDF)[64:], "image/jpeg", PDF),
        (b"^PDF^^Base64^" + base64.b64encode(PDF), "application/pdf", PDF),
        (b"^text^plain^A^All is well", "text/plain", b"All is well"),
        (b"^^^Hex^" + PDF.hex().upper().encode(), "application/octet-stream", PDF),
        (b"^application^../../x^Hex^" + PDF.hex().encode(), "application/octet-stream", PDF),
    ],
)  # fmt: skip
def test_an_embedded_document_is_of_the_type_and_the_content_that_it_says(field: bytes, media_type: str, content: bytes) -> None:
    raw = _message(b"OBX|1|TX|N||words", b"OBX|2|ED|X||" + field + b"||||||F")
    with tiny():
        message = Hl7(raw)
        message.message_id = "m1"
        found = embedded(message, "OBX[2]-5")
    assert found is not None
    assert (found.media_type, found.size, found.message_id) == (media_type, len(content), "m1")
    assert b"".join(decoded([raw[found.start : found.start + found.length]], found.stored)) == content


def test_an_embedded_document_that_is_absent_is_none_and_a_broken_one_the_senders_fault() -> None:
    assert embedded(Hl7(_message(b"OBX|1|ED|X")), "OBX-5") is None
    assert embedded(Hl7(_message()), "OBX-5") is None
    with pytest.raises(Invalid, match="encoding"):
        embedded(Hl7(_message(b"OBX|1|ED|X||^application^pdf^Base64^!!!")), "OBX-5")
    with pytest.raises(Invalid, match=r"OBX-5\.4"):
        embedded(Hl7(_message(b"OBX|1|ED|X||^application^pdf^Zip^abcd")), "OBX-5")


def test_a_document_in_characters_that_hide_delimiters_is_not_claimed() -> None:
    raw = _message(b"OBX|1|ED|X||^application^pdf^A^abc").decode().encode("utf-16")
    with pytest.raises(Invalid, match="charset"):
        embedded(Hl7(raw), "OBX-5")


@pytest.mark.parametrize("beyond", [b"", "Zo\u00eb".encode()])
def test_a_large_message_is_opened_checked_and_referred_to_in_the_memory_of_its_small_parts(beyond: bytes) -> None:
    raw = _message(b"PID|||42||" + beyond, b"OBX|1|ED|X||^application^pdf^Base64^" + b"QUJD" * (5 << 20), b"NTE|1||end")
    contract = Contract("MDM^T02", required=("PID-3", "OBX-5"))
    tracemalloc.start()
    try:
        HL7V2.header(raw)
        document = contract.format.open(raw)
        assert contract.check(document) == () or beyond
        HL7V2.identifiers(document)
        found = embedded(document, "OBX-5")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.size == 15 << 20
    assert document["NTE-3"] == "end"
    assert peak < 8 << 20  # of 20 MB: pieces on their way through base64 and the hash
