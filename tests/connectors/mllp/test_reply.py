from __future__ import annotations

import pytest

from isthmus.connectors.mllp.reply import expects, receipts_of, refusal
from isthmus.core import Receipt, Reject, Retry
from isthmus.formats.hl7v2 import read_acknowledgement

ACK = "MSH|^~\\&|LIS|LAB|||20260101||ACK|R1|P|{version}\rMSA|{code}|C1|PATIENT DOE UNKNOWN\r{err}"


def answer(code: str, err: str = "", version: str = "2.5.1") -> bytes:
    return ACK.format(code=code, err=err, version=version).encode()


def test_aa_proves_transport_and_application() -> None:
    assert receipts_of(read_acknowledgement(answer("AA")), ()) == (Receipt("transport", "AA"), Receipt("application", "AA", "R1"))


def test_ca_proves_transport_and_aa_after_it_the_rest() -> None:
    first = receipts_of(read_acknowledgement(answer("CA")), ())
    assert first == (Receipt("transport", "CA", "R1"),)
    assert receipts_of(read_acknowledgement(answer("AA")), first) == (Receipt("transport", "CA", "R1"), Receipt("application", "AA", "R1"))


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_tells_code_and_place_but_no_text(code: str) -> None:
    outcome = refusal(read_acknowledgement(answer(code, "ERR||PID^1^5|101^Required field missing|E||||PATIENT DOE HAS NO NAME\r")), ())
    assert isinstance(outcome, Reject)
    assert outcome.code == f"hl7-{code.lower()}"
    assert outcome.detail == f"{code}, error 101, at PID-5"
    assert "DOE" not in repr(outcome)
    assert outcome.receipts[-1].code == code


def test_the_place_of_an_old_version() -> None:
    outcome = refusal(read_acknowledgement(answer("AE", "ERR|PID^1^5^101&Required field missing&HL70357\r", "2.3")), ())
    assert isinstance(outcome, Reject)
    assert outcome.detail == "AE, error 101, at PID-5"


@pytest.mark.parametrize("error", ["206", "207"])
@pytest.mark.parametrize("code", ["AE", "AR", "CR"])
def test_locked_and_internal_errors_pass(code: str, error: str) -> None:
    assert isinstance(refusal(read_acknowledgement(answer(code, f"ERR|||{error}|E\r")), ()), Retry)


def test_a_place_that_is_none_is_not_told() -> None:
    outcome = refusal(read_acknowledgement(answer("AE", "ERR||DOE JANE^1^5|DOE JANE 1970|E\r")), ())
    assert isinstance(outcome, Reject)
    assert outcome.detail == "AE"


@pytest.mark.parametrize(
    ("accept", "application", "asked"),
    [
        ("", "", (False, True)),
        ("AL", "", (True, False)),
        ("AL", "NE", (True, False)),
        ("AL", "AL", (True, True)),
        ("NE", "AL", (False, True)),
    ],
)
def test_what_a_message_asks_for(accept: str, application: str, asked: tuple[bool, bool]) -> None:
    message = f"MSH|^~\\&|A|B|C|D|20260101||OML^O21|C1|P|2.5.1|||{accept}|{application}\r".encode()
    found = expects(message)
    assert (found.control_id, found.accept, found.application) == ("C1", *asked)
