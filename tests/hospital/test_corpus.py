"""Every real message of the public corpus is understood, or told with place, rule and cure; none shows a bug of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isthmus.app.messages_file import messages_in
from isthmus.app.planning import DryRun

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hl7v2"
pytestmark = [pytest.mark.corpus, pytest.mark.skipif(not CORPUS.is_dir(), reason="the public message corpus is not beside the checkout")]

FLOWS = ("ADT", "DFT", "SIU", "RDS", "RDE", "ORU", "OUL", "OML", "ORM", "ACK", "ORL", "ORR")
"""Types of message that an interface of the reference hospital takes."""
UNDERSTANDABLE_WITHOUT = {"PID-3", "OBR", "ORC", "ORC-2"}
"""What a message of the corpus may lack so that nobody could file it: whose it is, or what was examined or ordered."""


def messages(folder: str = "") -> Iterator[tuple[str, bytes]]:
    for path in sorted((CORPUS / folder).rglob("*")):
        if path.suffix.lower() in (".hl7", ".txt", ".er7", ".out") and path.is_file():
            for body in messages_in(path.read_bytes()):
                yield str(path.relative_to(CORPUS)), body


def test_every_message_is_understood_or_told_what_it_lacks(plan: Callable[[bytes], DryRun]) -> None:
    states: Counter[str] = Counter()
    for name, body in messages():
        run = plan(body)
        assert run.troubles == (), name
        states[run.verdict] += 1
        if run.verdict == "accepted":
            assert run.plan.events, name
        elif run.verdict == "refused":
            assert run.reason == "no-interface", name
            assert not run.plan.message.kind.startswith(FLOWS), name
        else:
            wrong = [one for one in run.plan.violations if one.severity == "error"]
            assert {one.where for one in wrong} <= UNDERSTANDABLE_WITHOUT, name
            assert all(one.cure for one in wrong), name
    assert states["accepted"] > 600
    assert sum(states.values()) > 850


def test_the_simulated_hospital_s_feed(plan: Callable[[bytes], DryRun]) -> None:
    """531 messages: all but the one document (MDM) become events, every result reaches the portal."""
    runs = [plan(body) for _, body in messages("simhospital")]
    assert Counter(run.verdict for run in runs) == {"accepted": 530, "refused": 1}
    events = Counter(event.type for run in runs for event in run.plan.events)
    assert events["patient.admitted"] == 207
    assert events["patient.merged"] == 1
    assert events["result.reported"] >= 322
    assert sum(1 for run in runs for one in run.plan.deliveries if one.endpoint == "portal") == events["result.reported"] + 1


@pytest.mark.parametrize(
    ("sample", "operation"),
    [
        ("ADT-A03-01", "task"),
        ("ADT-A02-01", "task"),
        ("ADT-A13-01", "withdraw project.task"),
        ("ADT-A40-01", "POST /identity-changes"),
        ("DFT-P03-01", "invoice"),
        ("DFT-P11-01", "invoice"),
        ("RDS-O13-01", "movement consume"),
        ("SIU-S12-01", "appointment"),
        ("SIU-S13-01", "appointment"),
        ("SIU-S15-01", "withdraw calendar.event"),
        ("SIU-S26-01", "appointment"),
        ("ORU-R01-01", "POST /results"),
        ("OUL-R22-01", "POST /results"),
        ("OML-O21-01", "OML^O21"),
    ],
)
def test_each_flow_has_its_effect(sample: str, operation: str, plan: Callable[[bytes], DryRun]) -> None:
    ((_, body),) = [one for one in messages("ms-fhir-converter/samples") if one[0].endswith(f"{sample}.hl7")]
    assert operation in {one.operation for one in plan(body).plan.deliveries}


def test_the_sample_invoices_bill_what_was_charged(plan: Callable[[bytes], DryRun]) -> None:
    """DFT-P03-01: two times 50 USD, and 120 USD without a transaction id; no name, no diagnosis."""
    ((_, body),) = [one for one in messages("ms-fhir-converter/samples") if one[0].endswith("DFT-P03-01.hl7")]
    run = plan(body)
    (invoice,) = run.plan.deliveries
    for secret in (b"EVERYMAN", b"PATID1234", b"Chest", b"29857009", b"Dann", b"Doe", b"xray", b"Xray"):
        assert secret not in invoice.body
    assert b'"price_unit":50.0' in invoice.body
    assert b'"price_unit":120.0' in invoice.body
