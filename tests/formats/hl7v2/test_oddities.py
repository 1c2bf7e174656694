"""What real feeds do that the standard does not have, and what we do: one test for each line of docs/explanation/hl7v2-oddities.md."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import pytest

from isthmus.core.failure import Invalid
from isthmus.core.ids import derive_id
from isthmus.formats.hl7v2 import HL7V2, Contract, Hl7, read_acknowledgement, rule, split

HEAD = "MSH|^~\\&|LIS|HOSP|EHR|HOSP|20240311093000||ORU^R01|C1|P|2.5.1\r"

EDITED = HEAD.replace("\r", "\n")
"""As a text editor leaves it."""


def read(*lines: str, head: str = HEAD) -> Hl7:
    """The message, having proved that not a byte of it is lost."""
    raw = (head + "\r".join(lines)).encode()
    message = Hl7(raw)
    assert bytes(message) == raw
    return message


def told(message: Hl7) -> list[tuple[str, str, str]]:
    return [(one.where, one.rule, one.severity) for one in message.oddities()]


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n", "\r\n\r\n", "\n\r"])
def test_01_any_line_end_ends_a_segment(ends: str) -> None:
    message = Hl7(ends.join([HEAD[:-1], "PID|1||7", "PV1|1|I", ""]).encode())
    assert (message["PID-3"], message["PV1-2"], told(message)) == ("7", "I", [])


def test_01_mixed_line_ends_in_one_message() -> None:
    message = Hl7((HEAD[:-1] + "\nPID|1||7\r\nPV1|1|I |\r\nOBX|1\rOBX|2\n\nOBX|3\r\r").encode())
    assert [segment.name for segment in message] == ["MSH", "PID", "PV1", "OBX", "OBX", "OBX"]
    assert (message["PID-3"], message["PV1-2"], message["OBX[3]-1"], told(message)) == ("7", "I", "3", [])


def test_02_a_byte_order_mark_is_kept_and_not_read() -> None:
    raw = b"\xef\xbb\xbf" + HEAD.encode() + b"PID|1||7\r"
    assert (bytes(Hl7(raw)), Hl7(raw)["PID-3"], told(Hl7(raw))) == (raw, "7", [])
    assert HL7V2.header(raw).kind == "ORU^R01"
    answer = HL7V2.acknowledge(raw, "accepted", (), reply_id="R1", at="2024")
    assert answer is not None
    assert answer.startswith(b"MSH|")


def test_03_five_encoding_characters() -> None:
    message = read("PID|1||7#||a\\P\\b", head=HEAD.replace("&", "&#"))
    assert (message["PID-3"], message["PID-5"], told(message)) == ("7#", "a#b", [])


def test_04_a_doubled_escape_character_is_read_as_one() -> None:
    message = read("PID|1||7^^^A&B", head=HEAD.replace("\\", "\\\\"))
    assert (message["PID-3.4.2"], told(message)) == ("B", [("MSH-2", "delimiters", "warning")])


def test_05_an_empty_msh_2_stands_for_the_usual_characters() -> None:
    message = read("PID|1||7^^^A", head=HEAD.replace("^~\\&", ""))
    assert (message["MSH-3"], message["PID-3.4"], told(message)) == ("LIS", "A", [("MSH-2", "delimiters", "warning")])


def test_05_msh_alone_is_a_message_that_says_nothing() -> None:
    message = Hl7(b"MSH|")
    assert (message.kind, message.control_id, bytes(message)) == ("", "", b"MSH|")


def test_05_no_bytes_are_no_message_and_are_answered() -> None:
    with pytest.raises(Invalid):
        HL7V2.open(b"")
    answer = HL7V2.acknowledge(b"", "refused", (), reply_id="R1", at="2024")
    assert answer is not None
    assert read_acknowledgement(answer).code == "AR"


@pytest.mark.parametrize(("place", "body"), [("MSH-10", HEAD.replace("|C1|", "||")), ("MSH-9", HEAD.replace("|ORU^R01|", "||"))])
def test_06_07_a_missing_control_id_or_type_is_answered_with_its_place(place: str, body: str) -> None:
    contract = Contract("ORU^R01", required=("MSH-9", "MSH-10"))
    violations = contract.check(Hl7(body.encode()))
    answer = HL7V2.acknowledge(body.encode(), "invalid", violations, reply_id="R1", at="2024")
    assert answer is not None
    read_back = read_acknowledgement(answer)
    assert (read_back.code, read_back.location, read_back.error_code) == ("AE", place, "101")
    assert read_back.control_id == ("" if place == "MSH-10" else "C1")


def test_08_one_control_id_in_two_messages_makes_two_messages() -> None:
    first, second = (HEAD + "PID|1||7\r").encode(), (HEAD + "PID|1||8\r").encode()
    one, two = HL7V2.header(first), HL7V2.header(second)
    assert one == two
    assert derive_id("lis", one.sender, one.control_id, first) != derive_id("lis", two.sender, two.control_id, second)


def test_09_a_wrong_count_is_a_warning_and_all_messages_are_read() -> None:
    found = split(("BHS|^~\\&|LIS\r" + HEAD * 20 + "BTS|25\r").encode())
    assert len(found.messages) == 20
    assert [(one.where, one.rule, one.severity) for one in found.violations] == [("BTS-1", "count", "warning")]


def test_10_a_batch_without_its_end_is_a_warning() -> None:
    found = split(("FHS|^~\\&|LIS\rBHS|^~\\&|LIS\r" + HEAD).encode())
    assert len(found.messages) == 1
    assert [(one.where, one.rule) for one in found.violations] == [("BHS", "trailer"), ("FHS", "trailer")]


def test_11_a_line_break_inside_a_field_stays_in_the_field() -> None:
    message = read("OBX|1|TX|N||first line", "second line|||N|||F", "NTE|1||x")
    assert message["OBX-5"] == "first line\rsecond line"
    assert message["OBX-11"] == "F"
    assert message["NTE-3"] == "x"
    assert told(message) == [("line 3", "line", "warning")]


def test_11_where_cr_ends_segments_a_lone_lf_is_text() -> None:
    message = Hl7((HEAD + "PID|1||7||Doe^Jane\nof the\n\nhouse\rPV1|1|I\r\nprose\r").encode())
    assert (message["PID-5.2"], message["PV1-2"]) == ("Jane\nof the\n\nhouse", "I")
    assert [where for where, _, _ in told(message)] == ["line 3", "line 5", "line 7"]


def test_11_an_empty_line_inside_a_field_too() -> None:
    message = Hl7((HEAD + "OBX|1|TX|N||first\n\nthird|||N|||F\r").encode())
    assert (message["OBX-5"], message["OBX-11"]) == ("first\n\nthird", "F")


@pytest.mark.parametrize("blank", ["", "\n"])
def test_12_prose_between_segments_belongs_to_none(blank: str) -> None:
    message = Hl7((EDITED + f"PID|1||7|F\n{blank}The next segment is new:\nPV1|1|I\n").encode())
    assert (message["PID-4"], message["PV1-2"]) == ("F", "I")
    assert [(rule, severity) for _, rule, severity in told(message)] == [("line", "warning")]
    assert "was not read" in message.oddities()[0].cure


def test_12_a_line_after_a_note_is_part_of_the_note() -> None:
    message = Hl7((EDITED + "NTE|1||see below\nnot fasting\nPV1|1|I\nZZZ|any\nthing\n").encode())
    assert (message["NTE-3"], message["PV1-2"], message["ZZZ-1"]) == ("see below\nnot fasting", "I", "any\nthing")
    assert told(message) == [("line 3", "line", "warning"), ("line 6", "line", "warning")]


def test_12_prose_after_a_finished_result_is_not_part_of_it() -> None:
    message = Hl7(
        (EDITED + "OBX|1|NM|K||4.2|||||F\nwhat follows is from the other laboratory\nOBX|2|TX|T||see\nbelow\n\nSigned by nobody\n").encode()
    )
    assert (message["OBX-10"], message["OBX[2]-5"]) == ("F", "see\nbelow")
    assert [where for where, _, _ in told(message)] == ["line 3", "line 5", "line 7"]


def test_13_bytes_beyond_ascii_without_a_charset_are_utf_8() -> None:
    message = read("OBX|1|NM|K||4.2|µmol/L")
    assert (message["OBX-6"], told(message)) == ("µmol/L", [("MSH-18", "charset", "warning")])


def test_13_or_latin_1() -> None:
    message = Hl7((HEAD + "OBX|1|NM|K||4.2|µmol/L").encode("latin-1"))
    assert (message["OBX-6"], told(message)) == ("µmol/L", [("MSH-18", "charset", "warning")])


def test_14_utf_8_under_another_name_and_what_an_earlier_system_spoilt() -> None:
    message = read("PID|1||7||M\ufffdller^Zoë", head=HEAD[:-1] + "||||||8859/1\r")
    assert (message["PID-5"], message["PID-5.2"]) == ("M\ufffdller", "Zoë")
    assert told(message) == [("MSH-18", "charset", "warning")]


def test_15_of_several_charsets_the_first_that_is_not_ascii_is_read() -> None:
    message = read("PID|1||7||Zoë", head=HEAD[:-1] + "||||||ASCII~UNICODE UTF-8~8859/1\r")
    assert (message["PID-5"], told(message)) == ("Zoë", [])
    assert message.values("MSH-18") == ("ASCII", "UNICODE UTF-8", "8859/1")


def test_16_a_typographic_tilde_is_taken_where_it_is_used() -> None:
    used = read("PID|1||7^^^A\u02dc8^^^B", head=HEAD.replace("~", "\u02dc"))
    assert (used["PID-3[2]"], used["PID-3[2].4"]) == ("8", "B")
    unused = read("PID|1||7^^^A~8^^^B", head=HEAD.replace("~", "\u02dc"))
    assert unused["PID-3[2]"] == "8"
    assert ("MSH-2", "delimiters", "warning") in told(used)
    assert ("MSH-2", "delimiters", "warning") in told(unused)


def test_17_escapes_are_read() -> None:
    message = read("NTE|1||a\\.br\\b\\T\\c\\R\\d\\S\\e\\F\\f\\E\\g\\X0d0a\\h")
    assert message["NTE-3"] == "a\nb&c~d^e|f\\g\r\nh"


def test_18_version_and_processing_with_components() -> None:
    message = read("PID|1||7", head=HEAD.replace("|P|2.5.1", "|P^T|2.5^FRA^2.11"))
    assert (message.version, message["MSH-11"], message["MSH-12.2"]) == ("2.5", "P", "FRA")
    assert Contract("ORU^R01", version="2.5").check(message) == ()


def test_19_an_explicit_null_is_not_absence() -> None:
    message = read('PID|1||7||Doe|""||')
    assert (message["PID-6"], message.is_null("PID-6"), message["PID-7"], message.is_null("PID-7")) == ("", True, "", False)
    assert [one.rule for one in Contract("ORU^R01", required=("PID-6",)).check(message)] == ["required"]


RESULTS = Contract("ORU^R01", rules=(rule("OBX-5", type="OBX-2"), rule("PID-7", type="DTM")))


def test_20_a_value_without_its_type_is_a_warning() -> None:
    message = read("OBX|1||N||some text")
    assert message["OBX-5"] == "some text"
    assert [(one.where, one.rule, one.severity) for one in RESULTS.check(message)] == [("OBX-2", "required", "warning")]


def test_21_a_number_that_is_none_is_a_warning_until_somebody_needs_the_number() -> None:
    message = read("OBX|1|NM|A||60~120", "OBX|2|NM|B||<10", "OBX|3|NM|C||7.0")
    assert [(one.where, one.rule, one.severity) for one in RESULTS.check(message)] == [("OBX[2]-5", "type", "warning")]
    assert message.values("OBX-5") == ("60", "120", "<10", "7.0")
    assert message.number("OBX[3]-5") == Decimal("7.0")
    with pytest.raises(Invalid, match=r"OBX\[2\]-5"):
        message.number("OBX[2]-5")


def test_22_invented_and_overfull_types_are_warnings() -> None:
    message = read("OBX|1|TXT|A||text", "OBX|2|CWE^^HL70125|B||x^y")
    found = [(one.where, one.rule, one.severity) for one in RESULTS.check(message)]
    assert found == [("OBX-2", "code-set", "warning"), ("OBX[2]-2", "code-set", "warning")]
    assert (message["OBX[2]-2"], message["OBX[2]-5.2"]) == ("CWE", "y")


def test_23_free_text_dates_are_a_warning_until_somebody_needs_the_date() -> None:
    message = read("PID|1||7||Doe||Aug 15, 1942")
    assert [(one.where, one.rule, one.severity) for one in RESULTS.check(message)] == [("PID-7", "type", "warning")]
    for need in (message.date, message.time):
        with pytest.raises(Invalid, match="PID-7") as failure:
            need("PID-7")
        assert "1942" not in str(failure.value)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20240311093000123", dt.datetime(2024, 3, 11, 9, 30, 0, 123000, tzinfo=dt.UTC)),
        ("198908181126+0215", dt.datetime(1989, 8, 18, 9, 11, tzinfo=dt.UTC)),
        ("20230101010000-0000", dt.datetime(2023, 1, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_24_times_with_milliseconds_and_odd_offsets(text: str, at: dt.datetime) -> None:
    assert read("EVN||" + text).time("EVN-2") == at


def test_24_a_birth_date_with_a_time_is_a_date() -> None:
    assert read("PID|1||7||Doe||19371227000000").date("PID-7") == dt.date(1937, 12, 27)


def test_25_order_is_that_of_arrival_not_of_msh_7() -> None:
    late, early = HEAD.replace("20240311093000", "20240312"), HEAD.replace("20240311093000", "20240301")
    assert split((late + early + HEAD).encode()).messages == (late.encode(), early.encode(), HEAD.encode())


def test_26_merges_in_repeated_pairs() -> None:
    message = read("EVN|A40", "PID|||1", "MRG|2", "PID|||3", "MRG|4~5", head=HEAD.replace("ORU^R01", "ADT^A40"))
    pairs = [(pair["PID-3"], pair.values("MRG-1")) for pair in message.groups("PID", "MRG")]
    assert pairs == [("1", ("2",)), ("3", ("4", "5"))]
    assert [value for what, value in HL7V2.identifiers(message) if what == "patient"] == ["1", "3", "2", "4", "5"]


def test_27_many_patient_ids_and_none() -> None:
    message = read("PID|1|E9|7^^^H^MR~8^^^N^NI~~9")
    assert message.values("PID-3") == ("7", "8", "9")
    none = read("PID|1|E9|")
    assert none["PID-3"] == ""
    assert [one.where for one in Contract("ORU^R01", required=("PID-3",)).check(none)] == ["PID-3"]


def test_28_a_document_in_one_field() -> None:
    document = "".join(random.Random(28).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=600_000))
    message = read(f"OBX|1|ED|PDF||^application^pdf^Base64^{document}||||||F", "OBX|2|ST|B||x")
    assert message["OBX-5.5"] == document
    assert message["OBX[2]-5"] == "x"


def test_28_a_document_wrapped_at_76_columns() -> None:
    lines = ["A" * 76] * 8_000
    message = Hl7((HEAD + "OBX|1|ED|PDF||^application^pdf^Base64^" + "\n".join(lines) + "||||||F\rOBX|2|ST|B||x\r").encode())
    assert message["OBX-5.5"].replace("\n", "") == "A" * 76 * 8_000
    assert (message["OBX-11"], message["OBX[2]-5"], len(message.oddities())) == ("F", "x", 20)


def test_29_z_segments_are_read_like_others_and_stand_anywhere() -> None:
    message = read("ZPD|1|x^y", "PID|1||7", "ZBE|a")
    assert (message["ZPD-2.2"], message["ZBE-1"]) == ("y", "a")
    assert Contract("ORU^R01", structure="MSH PID").check(message) == ()


def test_30_trailing_blanks_and_separators_are_kept_and_mean_nothing() -> None:
    message = read("PID|1||7  ||Doe ^ Jane||||  ", "PV1|1|I||||||", "  ")
    assert (message["PID-3"], message["PID-5"], message["PID-5.2"], message["PID-9"]) == ("7", "Doe", " Jane", "")
    assert (message["PV1-2"], message["PV1-8"], told(message)) == ("I", "", [])


def test_31_xml_is_no_message_and_nothing_in_it_is_opened() -> None:
    probe = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><ADT_A01 xmlns="urn:hl7-org:v2xml">&y;</ADT_A01>'
    for call in (HL7V2.header, HL7V2.open):
        with pytest.raises(Invalid) as failure:
            call(probe)
        assert failure.value.code == "no-msh"
    answer = HL7V2.acknowledge(probe, "refused", (), reply_id="R1", at="2024")
    assert answer is not None
    assert read_acknowledgement(answer).code == "AR"


def test_a_segment_named_in_small_letters_is_told_how_to_be_named() -> None:
    (odd,) = read("PID|1||P1", "pv1|1|I").oddities()
    assert (odd.where, odd.rule, odd.severity) == ("line 3", "line", "warning")
    assert "capitals" in odd.cure
