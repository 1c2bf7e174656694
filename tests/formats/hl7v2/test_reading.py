"""Reading values: what a place holds, as text, number, day or point in time."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from isthmus.core.failure import Bug, Invalid
from isthmus.formats.hl7v2 import Hl7

AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
MESSAGE = (
    b"MSH|^~\\&|LIS^1.2.3^ISO|HOSP|EHR|HOSP|20240311093000+0100||ORU^R01^ORU_R01|C1|P|2.5.1\r"
    b'PID|1||123^^^HOSP&1.2&ISO^MR~456^^^NAT^NI||M\\T\\M^Edna^""||19560102|""|||1 High St \r'
    b"ORC|RE|A1|L1\r"
    b"OBR|1|A1|L1|PANEL^A panel\r"
    b"OBX|1|NM|K^Potassium||4.20|mmol/L\r"
    b"NTE|1||first\\.br\\second\r"
    b"OBX|2|TX|T^Text||Pain & fever~after ^ surgery\r"
    b"OBR|2|A1|L2|OTHER\r"
    b"OBX|1|NM|NA||<10||||||||20240229\r"
    b"ZXY|one||three\r"
)  # fmt: skip


@pytest.fixture
def message() -> Hl7:
    return Hl7(MESSAGE)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("PID-3", "123"),
        ("PID-3[2]", "456"),
        ("PID-3[3]", ""),
        ("PID-3.4", "HOSP"),
        ("PID-3.4.2", "1.2"),
        ("PID-3.4.3", "ISO"),
        ("PID-3.4.4", ""),
        ("PID-3[2].4", "NAT"),
        ("PID-3[2].4.1", "NAT"),
        ("PID-3[2].4.2", ""),
        ("PID-5", "M&M"),
        ("PID-5.2", "Edna"),
        ("PID-5.3", ""),
        ("PID-5.9", ""),
        ("PID-8", ""),
        ("PID-8.1", ""),
        ("PID-11", "1 High St"),
        ("PID-99", ""),
        ("PV1-19", ""),
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-3", "LIS"),
        ("MSH-3.2", "1.2.3"),
        ("MSH-9.3", "ORU_R01"),
        ("OBX[2]-3", "T"),
        ("OBX[3]-5", "<10"),
        ("OBX[4]-5", ""),
        ("ZXY-3", "three"),
    ],
)
def test_a_place_is_read_as_text(message: Hl7, path: str, text: str) -> None:
    assert message[path] == text


def test_what_is_absent_is_empty_and_what_is_null_is_null(message: Hl7) -> None:
    assert message.is_null("PID-8")
    assert message.is_null("PID-8.1")
    assert message.is_null("PID-5.3")
    assert not message.is_null("PID-5.2")
    assert not message.is_null("PID-9")
    assert not message.is_null("PV1-2")


def test_a_field_is_walked_from_one(message: Hl7) -> None:
    pid = message.segment("PID")
    assert pid is not None
    assert [str(repetition) for repetition in pid[3]] == ["123", "456"]
    assert str(pid[3][2][4]) == "NAT"
    assert list(pid[3][1][4]) == ["HOSP", "1.2", "ISO"]
    assert pid[3][1][4][3] == "ISO"
    assert pid["3[2].5"] == "NI"
    assert str(pid[3][7][2]) == ""
    assert not pid[6]
    assert len(pid[6]) == 0
    assert len(pid[3]) == 2
    assert pid[8].is_null
    assert pid[5][1][3].is_null
    assert [str(component) for component in pid[5][1]] == ["M&M", "Edna", ""]


def test_narrative_is_read_whole(message: Hl7) -> None:
    assert message["OBX[2]-5"] == "Pain"
    assert message.text("OBX[2]-5") == "Pain & fever\nafter ^ surgery"
    assert message.text("NTE-3") == "first\nsecond"
    assert message.text("PV1-3") == ""


def test_values_of_all_repetitions_and_segments(message: Hl7) -> None:
    assert message.values("PID-3") == ("123", "456")
    assert message.values("PID-3.5") == ("MR", "NI")
    assert message.values("OBX-3.1") == ("K", "T", "NA")
    assert message.values("OBX[3]-3") == ("NA",)
    assert message.values("PV1-3") == ()
    with pytest.raises(Bug, match="every repetition"):
        message.values("PID-3[1]")


def test_groups_are_orders_with_their_results(message: Hl7) -> None:
    groups = list(message.groups("ORC", "OBR"))
    assert [[segment.name for segment in group] for group in groups] == [["ORC", "OBR", "OBX", "NTE", "OBX"], ["OBR", "OBX", "ZXY"]]
    assert groups[1]["OBR-4"] == "OTHER"
    assert groups[0]["OBX[2]-3"] == "T"
    assert groups[0]["OBX[3]-3"] == ""
    assert [group["OBX-3"] for group in groups[0].groups("OBX")] == ["K", "T"]
    assert list(message.groups("SPM")) == []


def test_merges_are_pairs() -> None:
    merge = Hl7(b"MSH|^~\\&|A|B|||2024||ADT^A40|1|P|2.3\rEVN|A40\rPID|||1\rPD1\rMRG|2\rPV1||O\rPID|||3\rMRG|4\rPID|||5\r")
    assert [(pair["PID-3"], pair["MRG-1"]) for pair in merge.groups("PID", "MRG")] == [("1", "2"), ("3", "4"), ("5", "")]


def test_a_failure_names_the_place_in_the_message(message: Hl7) -> None:
    second = list(message.groups("OBR"))[1]
    with pytest.raises(Invalid, match=r"^type: OBX\[3\]-5: write digits") as failure:
        second.number("OBX-5")
    assert "<10" not in str(failure.value)
    with pytest.raises(Invalid, match=r"^required: PV1-44: send a value"):
        message.time("PV1-44")
    with pytest.raises(Invalid, match=r"^required: PID-8"):
        message.required("PID-8")


def test_times_are_aware(message: Hl7) -> None:
    plus_one = dt.timezone(dt.timedelta(hours=1))
    assert message.time("MSH-7") == dt.datetime(2024, 3, 11, 9, 30, tzinfo=plus_one)
    assert message.time("OBX[3]-13") == dt.datetime(2024, 2, 29, tzinfo=plus_one)
    assert message.time("OBX[3]-14", None) is None
    assert message.date("PID-7") == dt.date(1956, 1, 2)
    assert message.time("OBX[3]-14", AT) == AT


def test_a_time_without_offset_is_in_that_of_msh_7_then_of_the_contract_then_utc() -> None:
    body = b"MSH|^~\\&|A|B|||%b||ADT^A01|1|P|2.3\rPV1|1|I" + b"|" * 42 + b"202401020304\r"
    zurich = dt.timezone(dt.timedelta(hours=2))
    assert Hl7(body % b"20240101-0500", zurich).time("PV1-44").utcoffset() == dt.timedelta(hours=-5)
    assert Hl7(body % b"20240101", zurich).time("PV1-44").utcoffset() == dt.timedelta(hours=2)
    assert Hl7(body % b"nonsense").time("PV1-44") == dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC)


def test_the_zone_of_the_contract_knows_of_summer_time_where_msh_7_agrees_with_it() -> None:
    zone = ZoneInfo("Europe/Zurich")
    body = b"MSH|^~\\&|A|B|||20240711%b||ADT^A01|1|P|2.3\rPID|1|||||||%b\r"
    assert Hl7(body % (b"+0200", b"20240111"), zone).time("PID-8").utcoffset() == dt.timedelta(hours=1)
    assert Hl7(body % (b"+0100", b"20240711"), zone).time("PID-8").utcoffset() == dt.timedelta(hours=1)
    first = b"MSH|^~\\&|A|B|||00010101+1400||ADT^A01|1|P|2.3\rPID|1|||||||2024\r"
    assert Hl7(first, zone).time("PID-8").utcoffset() == dt.timedelta(hours=14)


def test_numbers(message: Hl7) -> None:
    assert message.number("OBX-5") == Decimal("4.20")
    assert message.number("OBX[9]-5", None) is None


def test_segments(message: Hl7) -> None:
    assert [segment.where for segment in message.segments("OBX")] == ["OBX", "OBX[2]", "OBX[3]"]
    assert [segment.name for segment in message.segments("ORC", "OBR")] == ["ORC", "OBR", "OBR"]
    assert len(message.segments()) == 10
    assert message.segment("SPM") is None
    assert message.segments("OBX")[1] is message.find(b"OBX", 2)
    assert "Edna" not in repr(message) + repr(message.segments())


@pytest.mark.parametrize("path", ["", "PID3", "pid-3", "PID-0", "PID-3[0]", "PID-3.", "PID-3.1.2.3", "PID.3"])
def test_a_wrong_place_is_our_bug(message: Hl7, path: str) -> None:
    with pytest.raises(Bug, match="names no place"):
        message[path]


@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"PID|1\r", b"hello", b"MS", b"\x0b\x1c\r"])
def test_what_has_no_msh_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid, match="MSH"):
        Hl7(body)


def test_a_batch_is_not_a_message() -> None:
    with pytest.raises(Invalid, match="split it") as failure:
        Hl7(b"FHS|^~\\&|A\rMSH|^~\\&|A\r")
    assert failure.value.code == "batch"
