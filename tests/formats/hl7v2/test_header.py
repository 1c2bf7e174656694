"""The header: what the receiver needs of a message, and what kind of message it is."""

from __future__ import annotations

import pytest

from isthmus.core.contract import Header
from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import HL7V2, Hl7
from isthmus.formats.hl7v2.kind import kind


def header(body: str) -> Header:
    raw = body.encode()
    found = HL7V2.header(raw)
    document = Hl7(raw)
    assert (found.kind, found.control_id) == (document.kind, document.control_id)
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("MSH|^~\\&|LIS|HOSP|||2024||ORU^R01|C1|P|2.3\r", Header("ORU^R01", "LIS|HOSP", "C1")),
        ("MSH|^~\\&|LIS|HOSP|||2024||ORU^R01|C1|P|2.3\r\nPID|1\r\n", Header("ORU^R01", "LIS|HOSP", "C1")),
        ("MSH|^~\\&|LIS|HOSP|||2024||ORU^R01|C1|P|2.3\nPID|1\n", Header("ORU^R01", "LIS|HOSP", "C1")),
        ("MSH|^~\\&#|LIS^1.2^ISO|HOSP^x|||2024||ORU^R01^ORU_R01|C-1_2|P|2.3\rPID|1", Header("ORU^R01", "LIS|HOSP", "C-1_2")),
        ("MSH|^~\\&|^1.2^ISO|^3.4^ISO|||2024||ORU^R01|C1", Header("ORU^R01", "1.2|3.4", "C1")),
        ("MSH|^~\\&|L\\T\\S|HOSP |||2024||ORU^R01|C\\F\\1 |P\rPID|1", Header("ORU^R01", "L&S|HOSP", "C|1")),
        ("MSH|^~\\&|LIS~X|HOSP|||2024||ORU^R01~ADT^A01|C1~2|P\rPID|1", Header("ORU^R01", "LIS|HOSP", "C1")),
        ("MSH|^~\\&|LIS&A|HOSP|||2024||ORU^R01|C1^x|P\rPID|1", Header("ORU^R01", "LIS|HOSP", "C1")),
        ('MSH|^~\\&|""|HOSP|||2024||ORU^R01|""|P\rPID|1', Header("ORU^R01", "|HOSP", "")),
        ("MSH|^~\\&|Läb|Höspital|||2024||ORU^R01|C1|P\rPID|1", Header("ORU^R01", "Läb|Höspital", "C1")),
        ("MSH|^~\\&|LIS|HOSP|||2024||ORU^R01||P|2.3\rPID|1", Header("ORU^R01", "LIS|HOSP", "")),
        ("MSH|^~\\&|LIS|HOSP|||2024|||C1|P|2.3\rPID|1", Header("", "LIS|HOSP", "C1")),
        ("MSH|^~\\&|LIS|HOSP\rPID|1||7||||||A01|9\r", Header("", "LIS|HOSP", "")),
        ("MSH|^~\\&|||||||ORU^R01|C1\rPID|1", Header("ORU^R01", "|", "C1")),
        ("MSH|^~\\&|LIS|HOSP|||2024||ORU^R01|C1\n23|P|2.3\rPID|1", Header("ORU^R01", "LIS|HOSP", "C1\n23")),
        ("\ufeff\r\n MSH|^~\\&|LIS|HOSP|||2024||ORU^R01|C1|P|2.3\r", Header("ORU^R01", "LIS|HOSP", "C1")),
        ("MSH||LIS|HOSP|||2024||ORU^R01|C1|P|2.3\r", Header("ORU^R01", "LIS|HOSP", "C1")),
        ("MSH|", Header("", "|", "")),
    ],
)
def test_headers(body: str, expected: Header) -> None:
    assert header(body) == expected


@pytest.mark.parametrize("body", [b"", b"PID|1", b"MSH", b"\xff\xfe", b"FHS|^~\\&|\r", b"<ADT_A01/>", b"{}"])
def test_no_header_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        HL7V2.header(body)


@pytest.mark.parametrize(
    ("msh9", "evn", "expected"),
    [
        ("ADT^A03^ADT_A03", "", "ADT^A03"),
        ("ADT^A03^ADT_A01", "", "ADT^A03"),
        ("adt^a03", "", "ADT^A03"),
        (" ADT ^ A03 ", "", "ADT^A03"),
        ("ORU^^ORU_R01", "", "ORU^R01"),
        ("ORU_R01", "", "ORU^R01"),
        ("ORU_R01^^", "", "ORU^R01"),
        ("ADT^^ADT_A01", "", "ADT"),
        ("ADT^^ADT_A01", "A08", "ADT^A08"),
        ("ADT_A01", "A04", "ADT^A04"),
        ("ADT", "A08", "ADT^A08"),
        ("ADT", "", "ADT"),
        ("ACK", "", "ACK"),
        ("ACK^A01^ACK", "", "ACK^A01"),
        ("ORU^^ADT_A02", "", "ORU"),
        ("ADT^A03", "A01", "ADT^A03"),
        ("ZZZ^Z01", "", "ZZZ^Z01"),
        ("", "A01", ""),
        ("^A01", "", ""),
    ],
)
def test_kinds(msh9: str, evn: str, expected: str) -> None:
    assert header(f"MSH|^~\\&|A|B|||2024||{msh9}|C1|P|2.3\rEVN|{evn}\r").kind == expected


def test_a_kind_without_components() -> None:
    assert kind("", "", "") == ""
    assert kind("", "", "ADT_A01") == "ADT"
    assert kind("", "", "ORU_R01") == "ORU^R01"
    assert kind("ADT_A40", "", "") == "ADT^A40"


def test_identifiers() -> None:
    document = Hl7(
        b"MSH|^~\\&|A|B|||2024||ADT^A40|C1|P|2.3\r"
        b'PID|1||11^^^H~12^^^N~~""|||||||||||||||ACC1\rMRG|13~14\rPV1|1' + b"|" * 18 + b"V1^5\r"
        b"PID|2||11\rMRG|15\rORC|RE|P1^LIS|F1\rOBR|1|P1|F2\rOBR|2||F3\rSCH|S1|S2\r"
    )  # fmt: skip
    assert HL7V2.identifiers(document) == (
        ("patient", "11"), ("patient", "12"), ("account", "ACC1"), ("patient", "13"), ("patient", "14"), ("patient", "15"), ("visit", "V1"),
        ("order", "P1"), ("order", "F1"), ("order", "F2"), ("order", "F3"), ("appointment", "S1"), ("appointment", "S2"), ("control", "C1"),
    )  # fmt: skip
    assert HL7V2.identifiers(Hl7(b"MSH|^~\\&|A")) == ()
