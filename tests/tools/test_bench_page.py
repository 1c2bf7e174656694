"""The page on performance holds what the committed results say, and nothing that anybody typed."""

from __future__ import annotations

import re
import sys
from array import array
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT))

from bench.product import report  # noqa: E402 - bench is no installed package
from bench.product.accounting import account  # noqa: E402
from bench.product.generator import verdict  # noqa: E402
from bench.product.loads import Ledger, read, write  # noqa: E402
from bench.product.messages import MARK, control_id, fill, templates  # noqa: E402
from bench.product.soak import slope  # noqa: E402


def test_the_page_is_what_the_committed_results_generate() -> None:
    page = report.PAGE.read_text()
    named = re.search(r"Generated from bench/results/(\S+\.json)", page)
    assert named is not None
    path = ROOT / "bench" / "results" / named[1]
    assert page == report.page(report.load(path), path.name)


def test_committed_results_account_for_every_message() -> None:
    for path in (ROOT / "bench" / "results").glob("*.json"):
        if path.name.startswith("profile"):
            continue
        soaked = path.name.startswith("soak")
        accounts = [report.load_soak(path).account] if soaked else [run.account for run in report.load(path).runs]
        assert all(one is None or one.holds for one in accounts), path.name


def test_memory_that_grows_is_seen() -> None:
    assert slope([(n, n * 1_000, 80.0 + n % 2) for n in range(1_000)]) == pytest.approx(0.0, abs=0.02)
    assert slope([(n, n * 1_000, 80.0 + n / 100) for n in range(1_000)]) == pytest.approx(1.0, abs=0.02)
    assert slope([(n, n * 1_000, 80.0 + min(n, 100)) for n in range(1_000)]) == pytest.approx(0.0, abs=0.02)  # warming up is no leak


def ledger(patients: list[int], *, acked: list[int] | None = None) -> Ledger:
    return Ledger(
        first=10,
        patients=array("I", patients),
        acked=array("I", acked if acked is not None else range(10, 10 + len(patients))),
        latencies=array("d"),
    )


def test_what_arrives_once_in_its_patients_order_holds() -> None:
    found = account([ledger([1, 2, 1])], array("I", [11, 10, 12, 5]), probes=(5,))
    assert found.holds
    assert (found.sent, found.acked, found.delivered) == (4, 4, 4)


@pytest.mark.parametrize(
    ("delivered", "what"),
    [([10, 11], "lost"), ([10, 11, 12, 11], "doubled"), ([12, 11, 10], "out_of_order"), ([10, 11, 12, 99], "foreign")],
)
def test_accounting_sees(delivered: list[int], what: str) -> None:
    found = account([ledger([1, 2, 1])], array("I", delivered))
    assert not found.holds
    assert getattr(found, what) == 1


def test_what_was_not_acknowledged_may_be_missing() -> None:
    assert account([ledger([1, 2, 1], acked=[10])], array("I", [10])).holds


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = ledger([7, 8, 9], acked=[10, 12])
    write(tmp_path / "ledger", first=kept.first, patients=kept.patients, acked=kept.acked, latencies=kept.latencies)
    assert read(tmp_path / "ledger") == kept


@pytest.mark.parametrize("mix", ["usual", "large"])
def test_messages_are_of_the_size_of_a_hospitals(mix: str) -> None:
    for template in templates(mix):  # type: ignore[arg-type]
        message = fill(template, 42, 7)
        assert MARK + b"000000042" in message
        assert control_id(42) in message
        assert 1_000 <= len(message) <= (2_100 if mix == "usual" else 11_000)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"\x0bMSH|^~\\&|A\rMSA|AA|B000000042\r\x1c\r", "AA"),
        (b"\x0bMSH|^~\\&|A\rMSA|AR|B000000042|busy\rERR|\r\x1c\r", "AR"),
        (b"\x0bMSH|^~\\&|A\rMSA|AA|B000000043\r\x1c\r", "foreign"),
        (b"\x0bMSH|^~\\&|A\r\x1c\r", "no MSA"),
    ],
)
def test_an_answer_counts_only_for_what_was_asked(answer: bytes, code: str) -> None:
    assert verdict(answer, 42) == code
