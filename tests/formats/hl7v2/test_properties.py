"""What holds for any bytes at all."""

from __future__ import annotations

import contextlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import HL7V2, Contract, Hl7, read_acknowledgement, rule, split
from isthmus.formats.hl7v2.charset import Charset
from isthmus.formats.hl7v2.delimiters import Delimiters, read_delimiters
from isthmus.formats.hl7v2.encoding import Encoding
from isthmus.formats.hl7v2.escape import escapes
from isthmus.formats.hl7v2.mllp import Decoder, Frame, Noise, frame

NASTY = st.sampled_from([
    b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\r\n", b"\x0b", b"\x1c", b"\x1c\r", b"\x1b$B", b"\x00", b"\xff", b"\xe9", "é".encode(),
    b"MSH|^~\\&|", b"\rMSH|", b"PID|1||7", b"\rOBX|1|NM|||", b'""', b"\\F\\", b"\\X0d\\", b"\\M2442\\", b"UNICODE UTF-8", b"GB18030", b"ISO IR87",
    b"FHS|", b"\rBTS|3", b"2024", b"+0100", b" ", "\u02dc".encode(), b"\xef\xbb\xbf",
])  # fmt: skip
SOUP = st.lists(NASTY | st.binary(max_size=4), max_size=40).map(b"".join)
MESSAGES = st.builds(lambda head, rest: head + rest, st.sampled_from([b"MSH", b"MSH|", b"MSH|^~\\&", b"MSH|^~\\&|"]), SOUP)
CONTRACT = Contract(
    "ADT^*", version="2.5", required=("PID-3", "MSH-10.2"), structure="MSH [{PID}] {[OBX]}",
    rules=(rule("OBX-5", type="OBX-2"), rule("PID-3", max=1, length=2, codes="7"), rule("MSH-2", codes=["^~\\&"]), rule("OBX", min=1)),
)  # fmt: skip


@given(MESSAGES | SOUP | st.binary(max_size=200))
def test_no_bytes_raise_anything_but_invalid_and_none_are_altered(body: bytes) -> None:
    for verdict in ("accepted", "invalid", "refused", "busy"):
        answer = HL7V2.acknowledge(body, verdict, (), reply_id="R1", at="2024")  # type: ignore[arg-type] # each is a verdict
        assert answer is None or read_acknowledgement(answer).accepted == (verdict == "accepted")
    try:
        message = Hl7(body)
    except Invalid:
        return
    assert bytes(message) == body
    header = HL7V2.header(body)
    assert (header.kind, header.control_id) == (message.kind, message.control_id)
    CONTRACT.check(message)
    HL7V2.identifiers(message)
    for read in (message.time, message.date, message.number):
        with contextlib.suppress(Invalid):
            read("MSH-7")
    for group in message.groups("PID", "OBX"):
        for segment in group:
            for number in range(len(segment) + 2):
                assert segment[number].text is not None
                for repetition in segment[number]:
                    for component in repetition:
                        list(component)


@given(MESSAGES | SOUP | st.binary(max_size=200))
def test_every_byte_of_a_file_is_in_one_piece(data: bytes) -> None:
    found = split(data)
    position = 0
    for piece in found.pieces:
        assert piece.start == position < piece.end
        position = piece.end
    assert position == len(data)
    assert found.messages == tuple(data[piece.start : piece.end] for piece in found.pieces if piece.what == "message")


@given(SOUP, st.lists(st.integers(0, 400), max_size=12), st.sampled_from([3, 20, 1000]))
def test_the_decoder_does_not_care_for_packets(data: bytes, cuts: list[int], limit: int) -> None:
    whole = Decoder(limit)
    expected = whole.feed(data) + whole.close()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = Decoder(limit)
    found: list[Frame | Noise] = []
    for start, end in itertools.pairwise(edges):
        found += parts.feed(data[start:end])
    assert found + parts.close() == expected


@given(st.lists(SOUP.map(lambda body: body.replace(b"\x0b", b"").replace(b"\x1c", b"")), max_size=5))
def test_what_is_framed_is_decoded(bodies: list[bytes]) -> None:
    assert Decoder().feed(b"".join(map(frame, bodies))) == [Frame(body) for body in bodies]


MARKS = st.lists(st.characters(codec="ascii", categories=("P", "S")), min_size=5, max_size=6, unique=True)


@given(MARKS, st.text())
def test_text_survives_its_escapes(marks: list[str], text: str) -> None:
    field, component, repetition, escape, subcomponent = (mark.encode() for mark in marks[:5])
    delimiters = Delimiters(field, component, repetition, escape, subcomponent, marks[5].encode() if len(marks) > 5 else b"")
    writer = escapes(delimiters, "utf-8", "utf-8")
    written = writer.write(text)
    assert writer.read(written) == text
    inside = written.replace(marks[3], "")
    assert not any(mark in inside for mark in marks)
    assert not any(ord(character) < 32 and character != "\t" for character in written)


@given(MARKS, st.text().map(lambda text: text.rstrip(" ")), st.integers(1, 4), st.integers(1, 4))
def test_what_is_replaced_is_read_back_and_all_else_stays(marks: list[str], text: str, repetition: int, component: int) -> None:
    head = "".join(("MSH", *marks[:5], marks[0]))
    delimiters = read_delimiters(head.encode())
    if delimiters.flaw or text == '""':
        return
    separator = marks[0]
    body = f"{head}A{separator}{separator * 14}UNICODE\rPID{separator}1{separator * 2}x{separator}y\rPV1{separator}1".encode()
    path = f"PID-3[{repetition}].{component}"
    changed = Hl7(body).replace(path, text)
    assert changed[path] == text
    assert changed["PID-4"] == "y"
    assert [bytes(segment) for segment in changed if segment.name != "PID"] == [bytes(one) for one in Hl7(body) if one.name != "PID"]


@given(st.text().map(lambda text: text.rstrip(" ")), st.dates())
def test_what_is_built_is_read_back(text: str, day: object) -> None:
    built = Hl7.build(
        "ADT^A01", ("PID", {3: [text, (None, text)], 7: day}), ("ZZZ", {2: ((None, text),)}),  # type: ignore[dict-item] # a date
        control_id="C1", at="2024", sender=("A", text), receiver=("B", ""),
    )  # fmt: skip
    expected = "" if text == '""' else text
    assert (built["PID-3"], built["PID-3[2].2"], built["ZZZ-2.1.2"], built["MSH-4"]) == (expected,) * 4
    assert built.date("PID-7") == day
    assert built.oddities() == ()


@given(st.text())
def test_an_encoding_writes_what_it_reads(text: str) -> None:
    encoding = Encoding(Delimiters(), Charset("utf-8", "utf-8"))
    assert encoding.text(encoding.write(text)) in (text.rstrip(" "), "")
