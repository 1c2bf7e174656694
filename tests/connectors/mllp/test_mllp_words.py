from __future__ import annotations

import pytest

from isthmus.connectors.mllp import Mllp
from isthmus.core import Bug
from isthmus.formats.hl7v2 import Hl7

LAB = Mllp("lab")
ORDER = b"MSH|^~\\&|A|B|C|D|20260101||OML^O21^OML_O21|OLD|P|2.5.1\rPID|||1\rORC|NW|77\r"


def test_sets_the_control_id_and_nothing_else() -> None:
    delivery = LAB.send(ORDER, key="77/NW", ordering_key="77")
    assert (delivery.endpoint, delivery.operation, delivery.ordering_key) == ("lab", "OML^O21", "77")
    assert delivery.content_type == "x-application/hl7-v2+er7"
    assert len(delivery.key) == 20
    assert delivery.body == ORDER.replace(b"OLD", delivery.key.encode())
    assert Hl7(delivery.body).control_id == delivery.key


def test_is_the_same_on_every_replay_and_for_text_and_bytes() -> None:
    assert LAB.send(ORDER, key="77") == LAB.send(Hl7(ORDER), key="77")


@pytest.mark.parametrize(
    ("endpoint", "message", "key"),
    [("ris", ORDER, "77"), ("lab", ORDER, "78"), ("lab", ORDER.replace(b"|NW|", b"|CA|"), "77")],
    ids=["another endpoint", "another key", "another content"],
)
def test_another_message_has_another_control_id(endpoint: str, message: bytes, key: str) -> None:
    """A receiver that deduplicates by control id must not lose the cancellation of an order it has."""
    assert Mllp(endpoint).send(message, key=key).key != LAB.send(ORDER, key="77").key


def asking(accept: str, application: str) -> bytes:
    return ORDER.replace(b"|P|2.5.1", f"|P|2.5.1|||{accept}|{application}".encode())


@pytest.mark.parametrize(
    ("accept", "application"), [("", ""), ("AL", ""), ("AL", "NE"), ("AL", "AL"), ("AL", "ER"), ("NE", "AL"), ("", "AL")]
)
def test_lets_messages_out_that_will_be_answered(accept: str, application: str) -> None:
    assert LAB.send(asking(accept, application), key="1").body.count(b"\r") == 3


@pytest.mark.parametrize(("accept", "application"), [("NE", "NE"), ("ER", ""), ("SU", "AL"), ("NE", "ER"), ("", "NE")])
def test_refuses_messages_whose_success_would_be_silence(accept: str, application: str) -> None:
    with pytest.raises(Bug, match="MSH-15"):
        LAB.send(asking(accept, application), key="1")


@pytest.mark.parametrize("raw", [b"", b"PID|1\r", b"FHS|^~\\&\rMSH|^~\\&|A\r"], ids=["nothing", "no MSH", "a batch"])
def test_refuses_what_is_no_message(raw: bytes) -> None:
    with pytest.raises(Bug, match="one HL7 v2 message"):
        LAB.send(raw, key="1")


def test_refuses_a_message_without_a_type() -> None:
    with pytest.raises(Bug, match="MSH-9"):
        LAB.send(ORDER.replace(b"OML^O21^OML_O21", b""), key="1")


def test_refuses_bytes_that_would_end_the_frame() -> None:
    with pytest.raises(Bug, match="VT or FS"):
        LAB.send(ORDER.replace(b"77", b"7\x1c7"), key="1")
