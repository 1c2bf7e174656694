"""Building messages, and changing one place in a message that somebody else wrote."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from isthmus.core.failure import Bug
from isthmus.formats.hl7v2 import NULL, Hl7

AT = dt.datetime(2024, 3, 11, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def test_a_message_is_built_from_values() -> None:
    message = Hl7.build(
        "OML^O21^OML_O21",
        ("PID", {3: ["1", ("2", None, None, ("H", "1.2", "ISO"), "MR")], 5: ("O|Brien", "Zoë"), 7: dt.date(1956, 1, 2), 8: NULL}),
        ("ORC", {1: "NW", 2: "A1"}),
        ("OBX", {1: 1, 2: "NM", 5: Decimal("4.20"), 14: AT}),
        ("NTE", {}),
        control_id="C1",
        at=AT,
        sender=("ISTHMUS", "HOSP"),
        receiver=("LIS", "HOSP"),
        more={15: "AL", 16: "AL"},
    )
    assert bytes(message).decode() == (
        "MSH|^~\\&|ISTHMUS|HOSP|LIS|HOSP|20240311093000+0100||OML^O21^OML_O21|C1|P|2.5.1|||AL|AL||UNICODE UTF-8\r"
        'PID|||1~2^^^H&1.2&ISO^MR||O\\F\\Brien^Zoë||19560102|""\r'
        "ORC|NW|A1\r"
        "OBX|1|NM|||4.20|||||||||20240311093000+0100\r"
        "NTE\r"
    )
    assert message.kind == "OML^O21"
    assert message["PID-5"] == "O|Brien"
    assert message.oddities() == ()


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("PID-3", "9", b"PID|1||9||Doe^John^&x"),
        ("PID-3[2]", ("9", "0"), b"PID|1||1^^^H~9^0||Doe^John^&x"),
        ("PID-3[4].2", "9", b"PID|1||1^^^H~2~~^9||Doe^John^&x"),
        ("PID-3.4.2", "9", b"PID|1||1^^^H&9~2||Doe^John^&x"),
        ("PID-5.2", "a^b", b"PID|1||1^^^H~2||Doe^a\\S\\b^&x"),
        ("PID-5.3.2", None, b"PID|1||1^^^H~2||Doe^John^&"),
        ("PID-5.3.1", "9", b"PID|1||1^^^H~2||Doe^John^9&x"),
        ("PID-8", NULL, b'PID|1||1^^^H~2||Doe^John^&x|||""'),
        ("PID-1", 7, b"PID|7||1^^^H~2||Doe^John^&x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_one_place_changes_and_nothing_else(path: str, value: object, line: bytes, end: bytes) -> None:
    before, after = b"\xef\xbb\xbf \r\nMSH|^~\\&|A|B|||2024  ||ADT^A01|1|P|2.3" + end, end + b"PV1|1|I  " + end + end + b"\x1c"
    message = Hl7(before + b"PID|1||1^^^H~2||Doe^John^&x" + after)
    changed = message.replace(path, value)  # type: ignore[arg-type] # parametrised
    assert bytes(changed) == before + line + after
    assert bytes(message) == before + b"PID|1||1^^^H~2||Doe^John^&x" + after


def test_the_second_segment_of_a_name_is_changed() -> None:
    message = Hl7(b"MSH|^~\\&|A\rOBX|1|ST\rOBX|2|ST\rOBX|3|ST")
    assert bytes(message.replace("OBX[2]-2", "NM")) == b"MSH|^~\\&|A\rOBX|1|ST\rOBX|2|NM\rOBX|3|ST"
    assert bytes(message.replace("MSH-3", "B").replace("MSH-5", "C")) == b"MSH|^~\\&|B||C\rOBX|1|ST\rOBX|2|ST\rOBX|3|ST"


@pytest.mark.parametrize(
    ("path", "why"), [("PV1-2", "no such segment"), ("PID", "name a field"), ("MSH-2", "delimiters"), ("PID[2]-3", "no such")]
)
def test_what_cannot_be_changed_is_our_bug(path: str, why: str) -> None:
    with pytest.raises(Bug, match=why):
        Hl7(b"MSH|^~\\&|A\rPID|1").replace(path, "x")


def test_delimiters_that_the_sender_does_not_have_are_not_invented() -> None:
    message = Hl7(b"MSH|^|A\rPID|1||1\r")
    assert bytes(message.replace("PID-3.2", "9")) == b"MSH|^|A\rPID|1||1^9\r"
    for path, value in (("PID-3[2]", "9"), ("PID-3", ["1", "2"])):
        with pytest.raises(Bug, match="no delimiter"):
            message.replace(path, value)


def test_a_message_of_another_charset_keeps_it() -> None:
    plain = Hl7(b"MSH|^~\\&|A|B||||||||||||||8859/1\rPID|||1||M\r")
    assert plain.replace("PID-5", "Ö")["PID-5"] == "Ö"
    with pytest.raises(Bug, match="cannot be written in ascii"):
        Hl7(b"MSH|^~\\&|A|B\rPID|||1||M\r").replace("PID-5", "Ö")
    for declared in ("8859/1", ""):
        line = f"MSH|^~\\&|A|B||||||||||||||{declared}\rPID|||1||"
        message = Hl7(f"{line}M\xe9\r".encode("latin-1"))
        assert bytes(message.replace("PID-5", "Ö")) == f"{line}\xd6\r".encode("latin-1")
    with pytest.raises(Bug, match="in UTF-8"):
        Hl7("MSH|^~\\&|A|B||||||||||||||GB18030\rPID|||1||王\r".encode("gb18030")).replace("PID-8", "F")
