"""Answers: who gets one, what it says, and that it speaks the sender's own dialect."""

from __future__ import annotations

import pytest

from isthmus.core.contract import Verdict, Violation
from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import HL7V2, Acknowledgement, Hl7, acknowledge, application_acknowledgement, read_acknowledgement

PID3 = Violation("PID-3[2].4", "required", "send a value here")


def message(
    version: str = "2.5.1", accept: str = "", application: str = "", head: str = "MSH|^~\\&|LIS^1.2|LAB|EHR|HOSP|2024||ORU^R01^ORU_R01|C1|P"
) -> bytes:
    return f"{head}|{version}|||{accept}|{application}\rPID|1\r".encode()


def answer(body: bytes, verdict: Verdict = "accepted", *violations: Violation) -> str:
    found = acknowledge(body, verdict, violations, reply_id="R1", at="20240311093000")
    assert found is not None
    return found.decode("latin-1")


def code(body: bytes, verdict: Verdict) -> str | None:
    found = acknowledge(body, verdict, (), reply_id="R1", at="20240311093000")
    return None if found is None else read_acknowledgement(found).code


def test_the_plain_answer() -> None:
    assert answer(message()) == "MSH|^~\\&|EHR|HOSP|LIS^1.2|LAB|20240311093000||ACK^R01^ACK|R1|P|2.5.1\rMSA|AA|C1\r"


@pytest.mark.parametrize(
    ("verdict", "original", "enhanced"), [("accepted", "AA", "CA"), ("invalid", "AE", "CE"), ("refused", "AR", "CR"), ("busy", "AR", "CR")]
)
def test_the_mode_follows_msh_15_and_16(verdict: Verdict, original: str, enhanced: str) -> None:
    good = verdict == "accepted"
    assert code(message(), verdict) == original
    assert code(message(accept="AL"), verdict) == enhanced
    assert code(message(accept="AL", application="NE"), verdict) == enhanced
    assert code(message(accept="al", application="AL"), verdict) == enhanced
    assert code(message(accept="NE", application="NE"), verdict) is None
    assert code(message(accept="NE"), verdict) is None
    assert code(message(accept="ER", application="NE"), verdict) == (None if good else enhanced)
    assert code(message(accept="SU", application="NE"), verdict) == (enhanced if good else None)
    assert code(message(accept="NE", application="AL"), verdict) == original
    assert code(message(application="AL"), verdict) == original
    assert code(message(application="ER"), verdict) == (None if good else original)
    assert code(message(accept="yes please"), verdict) == enhanced
    assert code(message(accept='""', application='""'), verdict) is None


def test_errors_since_v2_5_stand_in_err_segments() -> None:
    found = answer(
        message(), "invalid", PID3, Violation("OBX[3]-5", "type", "write a number"), Violation("line 7", "line", "write it so", "warning")
    )
    assert found.split("\r")[1:] == [
        "MSA|AE|C1|PID-3[2].4: send a value here",
        "ERR||PID^1^3^2^4|101^Required field missing^HL70357|E|required|||PID-3[2].4: send a value here",
        "ERR||OBX^3^5|102^Data type error^HL70357|E|type|||OBX[3]-5: write a number",
        "ERR|||100^Segment sequence error^HL70357|W|line|||line 7: write it so",
        "",
    ]


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.4^FRA"])
def test_errors_before_v2_5_stand_in_err_1(version: str) -> None:
    found = answer(
        message(version), "invalid", PID3, Violation("OBX[3]-5", "type", "write a number"), Violation("PV1", "required", "send it")
    )
    assert found.split("\r")[1:] == [
        "MSA|AE|C1|PID-3[2].4: send a value here|||101^Required field missing^HL70357",
        "ERR|PID^1^3^101&Required field missing&HL70357~OBX^3^5^102&Data type error&HL70357~PV1^1^^101&Required field missing&HL70357",
        "",
    ]


@pytest.mark.parametrize(
    ("rule", "version", "expected"),
    [
        ("required", "2.5", "101"), ("type", "2.5", "102"), ("code-set", "2.5", "103"), ("structure", "2.5", "100"), ("one-message", "2.5", "100"),
        ("length", "2.5", "102"), ("length", "2.7", "104"), ("cardinality", "2.5", "100"), ("cardinality", "2.8", "100"), ("cardinality", "2.9", "198"),
        ("version", "2.5", "203"), ("no-interface", "2.5", "200"), ("206", "2.5", "206"), ("of our own", "2.5", "102"), ("of our own", "2.9", "199"),
    ],
)  # fmt: skip
def test_codes_of_table_0357(rule: str, version: str, expected: str) -> None:
    found = acknowledge(message(version), "invalid", (Violation("PID-3", rule, "cure"),), reply_id="R", at="2024")
    assert found is not None
    assert read_acknowledgement(found).error_code == expected


def test_only_busy_says_try_again() -> None:
    busy = read_acknowledgement(answer(message(), "busy").encode())
    assert (busy.code, busy.error_code) == ("AR", "207")
    assert "send it again later" in busy.text


def test_a_kind_that_nobody_takes() -> None:
    refused = read_acknowledgement(answer(message(), "refused").encode())
    assert (refused.code, refused.error_code, refused.location) == ("AR", "200", "MSH-9")
    assert "agree" in refused.text


def test_v2_7_has_no_text_in_msa() -> None:
    assert answer(message("2.7"), "invalid", PID3).split("\r")[1] == "MSA|AE|C1"


def test_many_errors_are_cut_and_counted() -> None:
    found = answer(message(), "invalid", *[PID3] * 30)
    assert found.count("ERR|") == 10
    assert found.endswith("(and 20 more)\r")
    assert answer(message("2.3"), "invalid", *[PID3] * 30).count("~PID") == 9


@pytest.mark.parametrize(
    ("body", "start", "text"),
    [
        (b"", "MSH|^~\\&|||||20240311093000||ACK|R1|P|2.5.1\rMSA|AR||MSH: ", "nothing here"),
        (b"hello", "MSH|^~\\&|||||20240311093000||ACK|R1|P|2.5.1\rMSA|AR||MSH: ", "begins with MSH"),
        (b"PID|1\r", "MSH|^~\\&|||||20240311093000||ACK|R1|P|2.5.1\rMSA|AR||MSH: ", "begins with MSH"),
        (b"MSH\r", "MSH|^~\\&|||||20240311093000||ACK|R1|P|2.5.1\rMSA|AR||MSH: ", "field separator"),
        (b"MSH|", "MSH|^~\\&|||||20240311093000||ACK|R1|P|2.5.1\rMSA|AR||", ""),
        (b"MSH|^~\\&|A|B|||2024|||C1|P|2.4\r", "MSH|^~\\&|||A|B|20240311093000||ACK|R1|P|2.4\rMSA|AR|C1|", ""),
        (b"MSH|^~\\&|A|B|||2024||ADT^A01||P|2.4\r", "MSH|^~\\&|||A|B|20240311093000||ACK^A01^ACK|R1|P|2.4\rMSA|AR||", ""),
        (b"MSH|^~\\&|A|B|||2024||ADT|C1|P|2.4\r", "MSH|^~\\&|||A|B|20240311093000||ACK|R1|P|2.4\rMSA|AR|C1|", ""),
    ],
)
def test_what_cannot_be_read_is_answered_all_the_same(body: bytes, start: str, text: str) -> None:
    found = answer(body, "refused")
    assert found.startswith(start)
    assert text in found


def test_a_missing_control_id_is_told_with_its_place() -> None:
    body = b"MSH|^~\\&|A|B|||2024||ADT^A01||P|2.5\r"
    found = read_acknowledgement(answer(body, "invalid", Violation("MSH-10", "required", "send a value here")).encode())
    assert (found.code, found.control_id, found.location, found.error_code) == ("AE", "", "MSH-10", "101")


def test_echoes_are_byte_for_byte() -> None:
    body = b"MSH|^~\\&#|L\\T\\IS^1.2^ISO|LAB|EHR|HOSP|2024||ORU^R01^ORU_R01|C&1~2|P^T|2.5^FRA^2.11||||||8859/1~UNICODE UTF-8\r\nPID|1"
    assert answer(body) == (
        "MSH|^~\\&#|EHR|HOSP|L\\T\\IS^1.2^ISO|LAB|20240311093000||ACK^R01^ACK|R1|P^T|2.5^FRA^2.11||||||8859/1~UNICODE UTF-8\rMSA|AA|C&1~2\r"
    )


def test_an_answer_to_empty_or_doubled_delimiters_uses_what_we_understood() -> None:
    assert answer(b"MSH||A|B|||2024||ADT^A01|C1|P|2.4\r").startswith("MSH|^~\\&|||A|B|")
    assert answer(b"MSH|^~\\\\&|A|B|||2024||ADT^A01|C1|P|2.4\r").startswith("MSH|^~\\&|||A|B|")
    assert answer(b"MSH|^|A|B|||2024||ADT^A01|C1|P|2.4\r", "invalid", PID3) == (
        "MSH|^|||A|B|20240311093000||ACK^A01^ACK|R1|P|2.4\rMSA|AE|C1|PID-3[2].4: send a value here|||101^Required field missing^HL70357\rERR|PID^1^3^101\r"
    )


def test_an_msh_broken_by_a_line_end_is_answered_on_one_line() -> None:
    found = answer(b"MSH|^~\\&|A|B|||2024||ADT^A01|C\n1|P|2.4|||AL\rPID|1\r")
    assert found == "MSH|^~\\&|||A|B|20240311093000||ACK^A01^ACK|R1|P|2.4\rMSA|CA|C1\r"


def test_an_application_answers_whatever_the_mode() -> None:
    body = message(accept="NE", application="NE")
    found = application_acknowledgement(body, "AE", (PID3,), reply_id="R2", at="2024")
    assert read_acknowledgement(found) == Acknowledgement(
        code="AE", control_id="C1", own_id="R2", error_code="101", location="PID-3[2].4", text="PID-3[2].4: send a value here", severity="E"
    )  # fmt: skip
    assert not read_acknowledgement(found).accepted
    assert read_acknowledgement(found).application


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("MSA|AA|C1", Acknowledgement(code="AA", control_id="C1", own_id="R1")),
        ("MSA|ca|C1 ", Acknowledgement(code="CA", control_id="C1", own_id="R1")),
        ("MSA|AE|C1|no bed", Acknowledgement(code="AE", control_id="C1", own_id="R1", text="no bed")),
        ("MSA|AE|C1||||102^wrong^HL70357", Acknowledgement(code="AE", control_id="C1", own_id="R1", error_code="102", text="wrong")),
        (
            "MSA|AR|C1\rERR|PID^2^3^101&missing&HL70357~PV1",
            Acknowledgement(code="AR", control_id="C1", own_id="R1", error_code="101", text="missing", location="PID[2]-3"),
        ),
        (
            "MSA|AE|C1\rERR||PID^1^5^2^1^3|102^bad|W||||call us\rERR||PV1^1",
            Acknowledgement(
                code="AE", control_id="C1", own_id="R1", error_code="102", text="call us", location="PID-5[2].1.3", severity="W"
            ),
        ),
        ("MSA|AE|C1|x\rERR|||207", Acknowledgement(code="AE", control_id="C1", own_id="R1", error_code="207", text="x")),
    ],
)
def test_answers_of_others_are_read(lines: str, expected: Acknowledgement) -> None:
    assert read_acknowledgement(f"MSH|^~\\&|A|B|||2024||ACK|R1|P|2.5\r{lines}\r".encode()) == expected


@pytest.mark.parametrize("lines", ["PID|1", "MSA", "MSA||C1", "MSA|OK|C1"])
def test_what_is_no_answer_is_invalid(lines: str) -> None:
    with pytest.raises(Invalid, match="MSA"):
        read_acknowledgement(f"MSH|^~\\&|A|B|||2024||ACK|R1|P|2.5\r{lines}\r".encode())


def test_an_answer_is_a_message_that_we_read_ourselves() -> None:
    document = Hl7(answer(message()).encode())
    assert (document.kind, document.control_id, document["MSH-5"]) == ("ACK^R01", "R1", "LIS")
    assert HL7V2.header(bytes(document)).kind == "ACK^R01"


@pytest.mark.parametrize("version", ["2.1", "2.4", "2.5.1", "2.8"])
def test_what_refused_the_message_is_told_before_what_is_merely_odd(version: str) -> None:
    odd = [Violation(f"line {number}", "line", "write it so", "warning") for number in range(2, 60)]
    told = answer(message(version), "invalid", *odd, PID3).split("\r")
    assert "PID" in told[2], "many senders show the first error and nothing else"
    assert version == "2.8" or "PID-3[2].4: send a value here" in told[1]
