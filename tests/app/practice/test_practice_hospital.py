"""The practice hospital says the same from the same seed, tells whole stays in order, and disturbs them only on request."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice, pairwise
from random import Random

import pytest

from isthmus.app.practice.day import SHAPE, arrivals, day
from isthmus.app.practice.faults import Faults, disturb
from isthmus.app.practice.stay import Stay

START = datetime(2026, 3, 2, 0, tzinfo=UTC)


def test_the_same_seed_says_the_same() -> None:
    once, again, other = (list(islice(day(seed, START), 500)) for seed in ("one", "one", "two"))
    assert once == again
    assert once != other


def test_time_never_runs_back_and_nothing_before_the_start_is_heard() -> None:
    said = list(islice(day("one", START), 2_000))
    assert all(one.at <= other.at for one, other in pairwise(said))
    assert said[0].at >= START


def test_every_kind_of_message_is_heard_in_a_day() -> None:
    kinds = Counter(one.kind[:7] for one in islice(day("one", START), 10_000))
    assert set(kinds) == {
        "ADT^A01", "ADT^A02", "ADT^A03", "ADT^A04", "ADT^A08", "ADT^A13", "ADT^A28", "ADT^A40",
        "DFT^P03", "OML^O21", "ORU^R01", "RDS^O13", "SIU^S12", "SIU^S13", "SIU^S15", "SIU^S26", "supply-",
    }  # fmt: skip


def test_patients_arrive_as_they_do_in_a_hospital() -> None:
    hours = Counter(stay.arrived.hour for stay in islice(arrivals("one", START, 400), 4_000))
    assert max(hours, key=lambda hour: hours[hour]) in (8, 9, 10)
    assert hours[9] > 5 * hours[2]
    assert len(SHAPE) == 24


def test_control_ids_are_unique() -> None:
    ids = [(one.system, one.body.split(b"|")[9]) for one in islice(day("one", START), 5_000) if one.system != "supply"]
    assert len(ids) == len(set(ids))


def test_a_patient_is_admitted_before_he_leaves() -> None:
    for index in range(1, 100):
        kinds = [one.kind.split("^")[1] for one in Stay(index=index, seed="one", arrived=START).utterances() if one.kind.startswith("ADT")]
        if "A03" in kinds:
            assert kinds.index("A01") < kinds.index("A03")


def test_supply_use_is_json() -> None:
    use = next(json.loads(one.body) for one in day("one", START) if one.system == "supply")
    assert use["items"][0]["quantity"] >= 1


def test_without_faults_the_stream_is_untouched() -> None:
    said = list(islice(day("one", START), 300))
    assert list(disturb(said, Faults(), Random(1))) == said


@pytest.mark.parametrize("fault", ["duplicate", "malformed", "out_of_order"])
def test_each_fault_befalls_its_share(fault: str) -> None:
    said = list(islice(day("one", START), 2_000))
    disturbed = list(disturb(said, Faults(**{fault: 0.1}), Random(1)))
    bodies = [one.body for one in said]
    match fault:
        case "duplicate":
            hurt = len(disturbed) - len(said)
            assert {one.body for one in disturbed} == set(bodies)
        case "malformed":
            hurt = sum(one.body not in bodies for one in disturbed)
            assert len(disturbed) == len(said)
        case _:
            hurt = sum(one != other for one, other in pairwise(sorted(disturbed, key=lambda one: one.at))) and sum(
                later.at < earlier.at for earlier, later in pairwise(disturbed)
            )
            assert sorted(one.body for one in disturbed) == sorted(bodies)
    assert 100 < hurt < 300
