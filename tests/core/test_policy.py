"""Classification → Policy is one table: pure, total, and sane in every one of its rows."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from isthmus.core.classification import Classification, Criticality, Latency, Recovery
from isthmus.core.failure import Bug
from isthmus.core.policy import objections, policy_for

ALL = [
    Classification(criticality=criticality, latency=latency, recovery=recovery)
    for criticality, latency, recovery in product(get_args(Criticality), get_args(Latency), get_args(Recovery))
]


@pytest.mark.parametrize("classification", ALL, ids=lambda c: f"{c.criticality}-{c.latency}-{c.recovery}")
def test_every_row_is_sane(classification: Classification) -> None:
    policy = policy_for(classification)
    assert 0 < policy.first_retry < policy.max_retry
    assert policy.timeout <= policy.latency_target
    assert policy.breaker_after >= 3
    assert policy.give_up_after <= policy.keep_bodies, "a body must live as long as it may still be sent"
    assert policy.lane == "safety" or classification.criticality != "care"


def test_care_is_retried_longest_and_paged_first() -> None:
    care, report = (policy_for(Classification(criticality=c, latency="minutes")) for c in ("care", "reporting"))
    assert care.give_up_after > report.give_up_after
    assert care.page_after < report.page_after


def test_manual_recovery_never_retries_by_itself() -> None:
    assert policy_for(Classification(criticality="revenue", latency="minutes", recovery="manual")).give_up_after == 0


@pytest.mark.parametrize(
    ("nonsense", "word"),
    [
        (Classification(criticality="care", latency="batch"), "delays care"),
        (Classification(criticality="revenue", latency="minutes", recovery="skip"), "loses revenue"),
        (Classification(criticality="operations", latency="seconds", recovery="manual"), "cannot hold"),
    ],
)
def test_nonsense_is_refused_with_its_cure(nonsense: Classification, word: str) -> None:
    (objection,) = objections(nonsense)
    assert word in objection
    assert "choose" in objection


@pytest.mark.parametrize(("volume", "per_day"), [("20k/day", 20_000), ("300/hour", 7_200), ("5/second", 432_000)])
def test_volume_is_read(volume: str, per_day: int) -> None:
    assert Classification(criticality="care", latency="seconds", volume=volume).per_day == per_day


@pytest.mark.parametrize("name", ["criticality", "latency", "recovery"])
def test_a_word_from_which_nothing_follows_is_told_where_it_is_declared(name: str) -> None:
    words: dict[str, str] = {"criticality": "care", "latency": "seconds", name: "urgent"}
    with pytest.raises(Bug, match=rf"{name} 'urgent': write one of \w+, "):
        Classification(**words)  # type: ignore[arg-type]


def test_a_volume_that_cannot_be_read_names_the_form() -> None:
    with pytest.raises(Bug, match="20k/day"):
        _ = Classification(criticality="care", latency="seconds", volume="lots").per_day
