"""A source must know a full backlog from a refusal: the one is tried again, the other never."""

from __future__ import annotations

import pytest

from isthmus.connectors.answer import what_it_says
from isthmus.core import Violation
from isthmus.core.contract import Verdict
from isthmus.formats.hl7v2 import acknowledge
from isthmus.formats.jsondoc import Json

BUG = (Violation("", "bug", "keep the message; the receiving side is at fault and will process it after a repair"),)
LOCKED = (Violation("PID-3", "wrong-source", "send it to another port"),)
JSON = b'{"id": "1"}'


def message(version: str, asking: str = "|") -> bytes:
    return f"MSH|^~\\&|A|B|||20260101||ADT^A01|C1|P|{version}|||{asking}\rPID|||1\r".encode()


@pytest.mark.parametrize("version", ["2.2", "2.3.1", "2.4", "2.5.1", "2.6", "2.7.1", "2.8", ""])
@pytest.mark.parametrize("asking", ["|", "AL|NE"])
@pytest.mark.parametrize(
    ("verdict", "violations", "taken", "said"),
    [
        ("accepted", (), True, "taken"),
        ("invalid", (Violation("PID-3", "required", "send it"),), False, "refused"),
        ("refused", (), False, "refused"),
        ("refused", BUG, False, "refused"),
        ("refused", LOCKED, False, "refused"),
        ("busy", (), False, "busy"),
    ],
)
def test_hl7(*, version: str, asking: str, verdict: Verdict, violations: tuple[Violation, ...], taken: bool, said: str) -> None:
    answer = acknowledge(message(version, asking), verdict, violations, reply_id="R1", at="20260101000000")
    assert answer is not None
    assert what_it_says(answer, taken) == said


def test_hl7_of_what_cannot_be_read() -> None:
    for verdict, said in (("busy", "busy"), ("refused", "refused")):
        answer = acknowledge(b"Dear colleague", verdict, (), reply_id="R1", at="20260101000000")  # type: ignore[arg-type]
        assert what_it_says(answer, False) == said


@pytest.mark.parametrize(
    ("verdict", "taken", "said"), [("accepted", True, "taken"), ("invalid", False, "refused"), ("busy", False, "busy")]
)
def test_json(verdict: Verdict, taken: bool, said: str) -> None:
    assert what_it_says(Json().acknowledge(JSON, verdict, (), reply_id="R1", at="20260101000000"), taken) == said


@pytest.mark.parametrize("answer", [None, b"", b"MSH", b"MSH|^~\\&|", b"{", b'{"status": 5}', b"{\xff}", b"no"])
def test_whatever_else_is_a_refusal(answer: bytes | None) -> None:
    assert what_it_says(answer, False) == "refused"
    assert what_it_says(answer, True) == "taken"
