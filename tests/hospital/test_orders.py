"""An order reaches the laboratory as its sender wrote it, under a header of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from isthmus.app.planning import DryRun
from isthmus.formats.hl7v2 import Hl7

ORDER = (
    "MSH|^~\\&|EHR|NORTH|||20260301||OML^O21^OML_O21|E1|P|2.5.1|||{ask}\r"
    "PID|1||P1^^^N^MR||Do\\T\\e^{name}\rORC|NW|O1\rOBR|1|O1||A^B^LN\rZZ1|our own\r"
)


def sent(run: DryRun) -> Hl7:
    (delivery,) = run.plan.deliveries
    assert delivery.endpoint == "lab"
    message = Hl7(delivery.body)
    assert message.control_id == delivery.key
    return message


@pytest.mark.parametrize("ask", ["", "AL|AL", "ER|NE", "SU|SU", "NE|AL"])
def test_the_application_s_answer_is_asked_for_on_the_same_connection(ask: str, plan: Callable[[bytes], DryRun]) -> None:
    message = sent(plan(ORDER.format(ask=ask, name="Jane").encode()))
    assert (message["MSH-3"], message["MSH-4"], message["MSH-15"], message["MSH-16"]) == ("ISTHMUS", "HOSPITAL", "", "")


def test_every_segment_but_msh_is_as_it_was(plan: Callable[[bytes], DryRun]) -> None:
    body = ORDER.format(ask="", name="Jane").encode()
    assert bytes(sent(plan(body))).split(b"\r", 1)[1] == body.split(b"\r", 1)[1]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_segments_end_as_the_standard_has_it(ends: bytes, plan: Callable[[bytes], DryRun]) -> None:
    body = ORDER.format(ask="", name="Jane").encode()
    assert bytes(sent(plan(body.replace(b"\r", ends)))) == bytes(sent(plan(body)))


def test_a_line_break_inside_a_field_does_not_break_the_message_apart(plan: Callable[[bytes], DryRun]) -> None:
    message = sent(plan(ORDER.format(ask="", name="Jane\nof the house").encode()))
    assert message["PID-5.2"] == "Jane\nof the house"
    assert b"\n" not in bytes(message)


def test_bytes_that_end_a_frame_are_escaped(plan: Callable[[bytes], DryRun]) -> None:
    message = sent(plan(ORDER.format(ask="", name="Ja\x0bne").encode()))
    assert message["PID-5.2"] == "Ja\x0bne"


def test_a_charset_that_hides_delimiters_is_sent_as_utf_8(plan: Callable[[bytes], DryRun]) -> None:
    message = sent(plan(ORDER.format(ask="", name="Zoë 山田").encode("utf-16")))
    assert message["PID-5.2"] == "Zoë 山田"
    assert message["MSH-18"] == "UNICODE UTF-8"


def test_an_accept_acknowledgement_and_a_refusal_are_told_apart(plan: Callable[[str], DryRun]) -> None:
    for code in ("AA", "AE", "AR", "CA"):
        (event,) = plan(f"MSH|^~\\&|LIS|N|||20260301||ACK|1|P|2.5.1\nMSA|{code}|abc").plan.events
        assert event.type == "delivery.acknowledged"
        assert event.key == f"lab/abc/{code}"


@pytest.mark.parametrize("msa", ["MSA|AA", "MSA||abc", "MSA|OK|abc", "NTE|1"])
def test_an_acknowledgement_that_says_nothing_is_invalid(msa: str, plan: Callable[[str], DryRun]) -> None:
    assert plan(f"MSH|^~\\&|LIS|N|||20260301||ACK|1|P|2.5.1\n{msa}").verdict == "invalid"
