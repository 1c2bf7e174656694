"""MSH-1 and MSH-2, as the standard has them and as senders write them."""

from __future__ import annotations

import pytest

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import HL7V2, Hl7
from isthmus.formats.hl7v2.delimiters import Delimiters, read_delimiters


@pytest.mark.parametrize(
    ("head", "delimiters"),
    [
        (b"MSH|^~\\&|", Delimiters()),
        (b"MSH|^~\\&#|", Delimiters(truncation=b"#")),
        (b"MSH$%*!@$", Delimiters(b"$", b"%", b"*", b"!", b"@")),
        (b"MSH|^~\\|", Delimiters(subcomponent=b"")),
        (b"MSH|^~|", Delimiters(escape=b"", subcomponent=b"")),
        (b"MSH|^|", Delimiters(repetition=b"", escape=b"", subcomponent=b"")),
        (b"MSH|^~\\&", Delimiters()),
        (b"MSH|^~\\&\rPID|", Delimiters()),
        ("MSH¦^~\\&¦".encode(), Delimiters("¦".encode())),
        (b"MSH\xa6^~\\&\xa6", Delimiters(b"\xa6")),
    ],
)
def test_what_the_standard_allows_is_read_without_a_word(head: bytes, delimiters: Delimiters) -> None:
    assert read_delimiters(head) == delimiters


@pytest.mark.parametrize(
    ("head", "delimiters"),
    [
        (b"MSH||LAB|", Delimiters()),
        (b"MSH|", Delimiters()),
        (b"MSH|LAB|HOSP|", Delimiters()),
        (b"MSH|^~\\\\&|", Delimiters()),
        (b"MSH|^~\\\\&#|", Delimiters(truncation=b"#")),
        (b"MSH|^~\\&amp;|", Delimiters()),
        (b"MSH^^LAB", Delimiters(b"^", component=b"")),
        (b"MSH|^~\\^|", Delimiters(subcomponent=b"")),
        (b"MSH|^~\\&#%|", Delimiters(truncation=b"#")),
        ("MSH|^\u02dc\\&|A|".encode(), Delimiters()),
        ("MSH|^\u02dc\\&|A|\rPID|1||1\u02dc2".encode(), Delimiters(repetition="\u02dc".encode())),
        (b"MSH|^\x98\\&|A|\rPID|1||1\x982", Delimiters(repetition=b"\x98")),
    ],
)
def test_oddities_are_read_and_told(head: bytes, delimiters: Delimiters) -> None:
    found = read_delimiters(head)
    assert found.msh2 == delimiters.msh2
    assert found.flaw
    told = Hl7(head).oddities()[0]
    assert (told.where, told.rule, told.severity) == ("MSH-2", "delimiters", "warning")


@pytest.mark.parametrize("head", [b"MSH", b"MSH\r", b"MSHA|", b"MSH1|", b"MSH |", b"MSH\x0b|"])
def test_without_a_field_separator_there_is_no_message(head: bytes) -> None:
    with pytest.raises(Invalid, match="MSH-1"):
        Hl7(head)


def test_what_was_not_declared_does_not_split() -> None:
    message = Hl7(b"MSH|^|A|B|||2024||ADT^A01|1|P|2.3\rPID|1||a~b\\F\\c&d^e\r")
    assert message["PID-3"] == "a~b\\F\\c&d"
    assert message["PID-3.2"] == "e"
    assert message["PID-3[2]"] == ""
    assert message["PID-3.1.2"] == ""


def test_other_delimiters_all_the_way() -> None:
    body = b"MSH$%*!@$LIS$HOSP$EHR$HOSP$20240101$$ADT%A01$C1$P$2.3\rPID$1$$1%%%H@1.2@ISO*2%x$$a!S!b!F!c$\r"
    message = Hl7(body)
    assert (message["PID-3.4.2"], message["PID-3[2].2"], message["PID-5"]) == ("1.2", "x", "a%b$c")
    assert HL7V2.header(body).kind == "ADT^A01"
    assert HL7V2.header(body).sender == "LIS|HOSP"
    answer = HL7V2.acknowledge(body, "accepted", (), reply_id="R1", at="20240102")
    assert answer == b"MSH$%*!@$EHR$HOSP$LIS$HOSP$20240102$$ACK%A01%ACK$R1$P$2.3\rMSA$AA$C1\r"


def test_a_separator_of_two_bytes() -> None:
    message = Hl7("MSH¦^~\\&¦A¦B\rPID¦1¦¦12¦\r\nPV1¦1\n".encode())
    assert message["PID-3"] == "12"
    assert [segment.name for segment in message] == ["MSH", "PID", "PV1"]
