"""How bytes become text: what is declared, what is sent, and what we do when the two differ."""

from __future__ import annotations

import pytest

from isthmus.formats.hl7v2 import HL7V2, Hl7
from isthmus.formats.hl7v2.charset import codec_of

NAME = "Ménière"


def message(name: str | bytes, declared: str, codec: str = "utf-8") -> bytes:
    raw = name if isinstance(name, bytes) else name.encode(codec)
    return b"MSH|^~\\&|A|B|||2024||ADT^A01|C1|P|2.5.1||||||%b\rPID|1||1||" % declared.encode() + raw + b"^J\rPV1|1|I\r"


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [
        ("UNICODE UTF-8", "utf-8", NAME),
        ("UNICODE", "utf-8", NAME),
        ("utf-8", "utf-8", NAME),
        ("8859/1", "latin-1", NAME),
        ("ISO-8859-1", "latin-1", NAME),
        ("8859/2", "iso8859-2", "Łódź"),
        ("8859/5", "iso8859-5", "Иван"),
        ("8859/7", "iso8859-7", "Γιώργος"),
        ("8859/15", "iso8859-15", "œuvre €"),
        ("WINDOWS-1252", "cp1252", "O\u2019Brien"),
        ("GB 18030-2000", "gb18030", "王小明"),
        ("GB18030", "gb18030", "刘乾朤"),
        ("BIG-5", "big5", "許功蓋"),
        ("KS X 1001", "euc_kr", "홍길동"),
        ("SHIFT_JIS", "cp932", "表示ソ"),
        ("ISO IR87", "iso2022_jp", "山田"),
        ("~ISO IR87", "iso2022_jp", "山田"),
        ("ISO IR14~ISO IR87", "iso2022_jp", "山田"),
        ("ASCII~UNICODE UTF-8", "utf-8", NAME),
    ],
)
def test_what_is_declared_rightly_is_read_without_a_word(declared: str, codec: str, name: str) -> None:
    body = message(name, declared, codec)
    document = Hl7(body)
    assert document["PID-5"] == name
    assert document["PID-5.2"] == "J"
    assert document["PV1-2"] == "I"
    assert document.oddities() == ()
    assert bytes(document) == body


@pytest.mark.parametrize(
    ("declared", "codec", "read"),
    [
        ("", "utf-8", NAME),
        ("ASCII", "utf-8", NAME),
        ("8859/1", "utf-8", NAME),
        ("KLINGON", "utf-8", NAME),
        ("UNICODE UTF-16", "utf-8", NAME),
        ("", "latin-1", NAME),
        ("UNICODE UTF-8", "latin-1", NAME),
        ("ASCII", "latin-1", NAME),
        ("KLINGON", "latin-1", NAME),
    ],
)
def test_what_is_declared_wrongly_is_read_as_utf_8_else_latin_1_and_told(declared: str, codec: str, read: str) -> None:
    body = message(NAME, declared, codec)
    document = Hl7(body)
    assert document["PID-5"] == read
    (told,) = document.oddities()
    assert (told.where, told.rule, told.severity) == ("MSH-18", "charset", "warning")
    assert NAME not in told.cure
    assert bytes(document) == body


@pytest.mark.parametrize("declared", ["8859/8", "GB18030", "BIG-5"])
def test_bytes_that_a_declared_charset_does_not_have_are_read_as_latin_1(declared: str) -> None:
    document = Hl7(message(b"\xff\xff", declared))
    assert document["PID-5"] == "ÿÿ"
    assert [one.where for one in document.oddities()] == ["MSH-18"]


def test_latin_1_is_used_value_by_value_where_utf_8_fails() -> None:
    document = Hl7(message(b"M\xc3\xa9^\xe9", "UNICODE UTF-8"))
    assert (document["PID-5.1"], document["PID-5.2"]) == ("Mé", "é")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_messages_are_read_and_answered_in_kind(codec: str) -> None:
    body = message(NAME, "UNICODE UTF-16").decode().encode(codec)
    document = Hl7(body)
    assert document["PID-5"] == NAME
    assert document.oddities() == ()
    assert bytes(document) == body
    answer = HL7V2.acknowledge(body, "accepted", (), reply_id="R1", at="2024")
    assert answer is not None
    assert answer.decode(codec).endswith("MSA|AA|C1\r")


def test_an_answer_is_in_the_charset_of_the_message() -> None:
    body = "MSH|^~\\&|検査|病院|||2024||ADT^A01|C1|P|2.5.1||||||GB18030\rPID|1\r".encode("gb18030")
    answer = HL7V2.acknowledge(body, "accepted", (), reply_id="R1", at="2024")
    assert answer == "MSH|^~\\&|||検査|病院|2024||ACK^A01^ACK|R1|P|2.5.1||||||GB18030\rMSA|AA|C1\r".encode("gb18030")
    assert HL7V2.header(body).sender == "検査|病院"


def test_hexadecimal_escapes_are_in_the_declared_charset() -> None:
    assert Hl7(message(b"M\\XE9\\", "8859/1"))["PID-5"] == "Mé"
    assert Hl7(message(b"M\\XC3A9\\", "UNICODE UTF-8"))["PID-5"] == "Mé"
    assert Hl7(message(b"M\\XC3\\\\XA9\\", ""))["PID-5"] == "Mé"
    assert Hl7(message(b"M\\XE9\\", ""))["PID-5"] == "Mé"


@pytest.mark.parametrize("name", ["hex", "rot13", "idna", "unicode_escape", "8859/12", "8859/17", "CNS 11643-1992", "zlib"])
def test_no_other_codec_of_python_is_ever_used(name: str) -> None:
    assert codec_of(name) == ""
