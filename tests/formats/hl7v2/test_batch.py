"""Files and batches: every byte is accounted for, and what is not a message is told with its place."""

from __future__ import annotations

import pytest

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import HL7V2, Batch, Hl7, split

A = b"MSH|^~\\&|LIS|H|||2024||ORU^R01|1|P|2.3\rPID|1||1\r"
B = b"MSH|^~\\&|LIS|H|||2024||ORU^R01|2|P|2.3\rPID|1||2\r"
FHS, BHS = b"FHS|^~\\&|LIS|H\r", b"BHS|^~\\&|LIS|H\r"


def take_apart(data: bytes) -> Batch:
    found = split(data)
    assert b"".join(data[piece.start : piece.end] for piece in found.pieces) == data
    assert found.messages == tuple(data[piece.start : piece.end] for piece in found.pieces if piece.what == "message")
    return found


def told(found: Batch) -> list[tuple[str, str]]:
    assert all(one.severity == "warning" for one in found.violations)
    return [(one.where, one.rule) for one in found.violations]


def test_one_message_is_itself() -> None:
    assert take_apart(A).messages == (A,)
    assert take_apart(b"").messages == ()
    assert take_apart(b"\r\n \r\n").messages == ()


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\r\n", b"\r\r\r", b" \n\t\n", b"\x00\x1a"])
def test_messages_in_a_row(between: bytes) -> None:
    found = take_apart(between + A + between + B + between)
    assert found.messages == (A, B) if between[:1] != b"\n" else (A + b"\n", B + b"\n")
    assert told(found) == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_any_line_end(end: bytes) -> None:
    a, b = A.replace(b"\r", end), B.replace(b"\r", end)
    assert take_apart(a + b).messages == (a, b)
    assert take_apart(a + end + b + end).messages == (a, b)
    assert take_apart(a.rstrip()).messages == (a.rstrip(),)


def test_a_whole_file_of_batches() -> None:
    found = take_apart(FHS + BHS + A + B + b"BTS|2\r" + BHS + A + b"BTS|1\rFTS|2\r")
    assert found.messages == (A, B, A)
    assert told(found) == []
    assert [piece.what for piece in found.pieces] == ["FHS", "BHS", "message", "message", "BTS", "BHS", "message", "BTS", "FTS"]
    assert [piece.line for piece in found.pieces] == [1, 2, 3, 5, 7, 8, 9, 11, 12]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FHS + BHS + A, [("BHS", "trailer"), ("FHS", "trailer")]),
        (BHS + A + B + b"BTS|25\r", [("BTS-1", "count")]),
        (BHS + A + b"BTS|one\r", [("BTS-1", "count")]),
        (BHS + A + b"BTS|" + b"9" * 6000 + b"\r", [("BTS-1", "count")]),
        (BHS + A + b"BTS\r", []),
        (BHS + A + b"BTS||all\r", []),
        (A + b"BTS|1\r", [("BTS", "header")]),
        (BHS + A + BHS + B + b"BTS|1\r", [("BHS", "trailer")]),
        (FHS + A + B + b"FTS|0\r", []),
        (FHS + BHS + A + b"FTS|1\r", [("BHS", "trailer")]),
        (FHS + BHS + A + b"BTS|1\rFTS|7\r", [("FTS-1", "count")]),
        (FHS + FHS + b"FTS\rFTS\r", [("FHS", "trailer"), ("FTS[2]", "header")]),
        (b"BHS$%~\\&$LIS\r" + A + b"BTS$3$\r", [("BTS-1", "count")]),
    ],
)
def test_what_does_not_agree_is_told_and_nothing_is_lost(data: bytes, expected: list[tuple[str, str]]) -> None:
    found = take_apart(data)
    assert told(found) == expected
    assert len(found.messages) == data.count(b"MSH|")


def test_a_framed_file() -> None:
    found = take_apart(b"\x0b" + A + b"\x1c\r\x0b" + B + b"\x1c\r")
    assert found.messages == (A, B)
    assert [piece.what for piece in found.pieces] == ["framing", "message", "framing", "framing", "message", "framing"]
    assert take_apart(b"\x0b" + A + b"\x0b" + B).messages == (A, B)
    assert take_apart(A.rstrip() + b"\x1c" + B).messages == (A.rstrip(), B)


def test_prose_around_messages_is_told_with_its_line() -> None:
    found = take_apart(b"Results of Monday\r\nfor the portal\r\n\r\n" + A + b"\r\nand of Tuesday:\r\n" + B + b"# the end")
    assert [Hl7(message)["PID-3"] for message in found.messages] == ["1", "2"]
    assert told(found) == [("line 1", "text"), ("line 7", "text"), ("line 10", "text")]
    assert "Monday" not in repr(found.violations)


def test_a_title_before_each_message_is_part_of_none() -> None:
    found = take_apart(b"Message 1\n" + A + b"Message 2\n" + B + b"The end\n")
    assert found.messages == (A, B)
    assert told(found) == [("line 1", "text"), ("line 4", "text"), ("line 7", "text")]


def test_a_comment_between_messages_is_no_note_of_the_patient() -> None:
    found = take_apart(A + b"---- second ----\r\n" + B)
    assert found.messages == (A, B)
    assert told(found) == [("line 3", "text")]


def test_a_wrapped_last_line_stays_with_its_message() -> None:
    note = A + b"NTE|1||begins here\nand ends here\n"
    found = take_apart(note + B)
    assert found.messages == (note, B)
    assert told(found) == []


def test_segments_without_msh_are_handed_out_to_be_refused() -> None:
    found = take_apart(b"PID|1||1\rPV1|1\r" + A)
    assert found.messages == (b"PID|1||1\rPV1|1\r", A)
    with pytest.raises(Invalid, match="begins with MSH"):
        HL7V2.header(found.messages[0])


def test_msh_within_a_line_begins_nothing() -> None:
    note = A + b"NTE|1||see MSH|^~\\&| and FHS|\rOBX|1|TX|||MSH|\r"
    assert take_apart(note).messages == (note,)


def test_byte_order_marks_between_files_put_together() -> None:
    found = take_apart(b"\xef\xbb\xbf" + A + b"\xef\xbb\xbf" + B)
    assert [Hl7(message)["PID-3"] for message in found.messages] == ["1", "2"]
    assert told(found) == []


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-32"])
def test_a_wide_file(codec: str) -> None:
    text = "BHS|^~\\&|é\r\n\r\nMSH|^~\\&|é|B\rPID|1||1\r\n\r\nprose\nMSH|^~\\&|\U0001d573|B\r\n"
    if codec == "utf-16-be":
        text = "\ufeff" + text
    found = take_apart(text.encode(codec))
    assert [Hl7(message)["MSH-3"] for message in found.messages] == ["é", "\U0001d573"]
    assert {rule for _, rule in told(found)} == {"text", "trailer"}


def test_what_only_begins_wide_is_one_message() -> None:
    odd = "MSH|^~\\&|A".encode("utf-16") + b"\xd8"
    assert take_apart(odd).messages == (odd,)
