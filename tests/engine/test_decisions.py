"""The pure parts: back-off, breaker, backpressure, hand, settling."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core import Classification, Delivered, Delivery, Outcome, Receipt, Reject, Retry, Unknown, policy_for
from isthmus.core.policy import Lane
from isthmus.engine.backoff import pause
from isthmus.engine.backpressure import Backpressure
from isthmus.engine.breaker import Breaker
from isthmus.engine.hand import Hand
from isthmus.engine.settling import settled
from isthmus.journals.port import Claimed

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
CARE = policy_for(Classification(criticality="care", latency="seconds"))
OFFICE = policy_for(Classification(criticality="operations", latency="seconds"))
BY_HAND = policy_for(Classification(criticality="revenue", latency="minutes", recovery="manual"))


# ---- back-off


@given(attempt=st.integers(1, 10_000), seed=st.integers())
def test_a_pause_never_exceeds_its_ceiling(attempt: int, seed: int) -> None:
    assert 0 <= pause(attempt, first=0.5, longest=30.0, rng=random.Random(seed)) <= min(30.0, 0.5 * 2 ** min(attempt - 1, 10))


def test_the_ceiling_doubles_and_pauses_are_spread_below_it() -> None:
    rng = random.Random(1)
    longest = [max(pause(attempt, first=1.0, longest=60.0, rng=rng) for _ in range(400)) for attempt in (1, 2, 3, 9)]
    assert [round(one) for one in longest] == [1, 2, 4, 60]
    drawn = [pause(4, first=1.0, longest=60.0, rng=rng) for _ in range(400)]
    assert min(drawn) < 0.5, "full jitter reaches down to nothing, or those who failed together come back together"


# ---- the breaker


def test_a_breaker_opens_after_failures_in_a_row_and_closes_only_on_a_delivery() -> None:
    moves: list[str] = []
    breaker = Breaker(after=3, pause=5.0, moved=lambda state, _code: moves.append(state))
    breaker.failed(0.0, "down")
    breaker.failed(0.0, "down")
    breaker.succeeded()
    breaker.failed(0.0, "down")
    breaker.failed(0.0, "down")
    assert breaker.permits(100)
    breaker.failed(10.0, "down")
    assert (breaker.state, breaker.probe_at, breaker.permits(0)) == ("open", 15.0, False)
    breaker.answered()
    assert (breaker.permits(0), breaker.permits(1)) == (True, False)
    breaker.failed(20.0, "down")
    assert (breaker.state, breaker.probe_at) == ("open", 25.0)
    breaker.answered()
    breaker.succeeded()
    assert moves == ["open", "half-open", "open", "half-open", "closed"]


def test_an_open_breaker_waits_as_long_as_the_receiver_asked() -> None:
    breaker = Breaker(after=1, pause=5.0)
    breaker.failed(0.0, "busy", after=60.0)
    assert breaker.probe_at == 60.0


# ---- backpressure


def test_a_source_is_slowed_at_its_bound_refused_at_twice_and_both_end_lower_than_they_began() -> None:
    pressure = Backpressure({"a": 100, "b": 1000}, {"a": "ward", "b": "ward"})
    seen = []
    for waiting in (100, 101, 200, 201, 151, 150, 101, 76, 75):
        pressure.correct({"a": waiting})
        seen.append((pressure.slow_sources() == {"ward"}, pressure.refuses("a")))
    assert seen == [
        (False, False), (True, False), (True, False), (True, True), (True, True), (True, False), (True, False), (True, False), (False, False),
    ]  # fmt: skip
    assert not pressure.refuses("b")


def test_what_is_worked_off_twice_does_not_go_below_nothing() -> None:
    pressure = Backpressure({"a": 10}, {"a": "ward"})
    pressure.add("a", 5)
    pressure.add("a", -9)
    pressure.add("unknown interface", 3)
    assert pressure.waiting == {"a": 0}


# ---- hand


def claimed(number: int | str, *, unknown: bool = False, attempt: int = 1, age: float = 0.0, lane: Lane = "normal") -> Claimed:
    delivery = Delivery(endpoint="ward", operation="note", key=str(number), body=b"", id=str(number))
    return Claimed(delivery=delivery, created_at=NOW - timedelta(seconds=age), lane=lane, attempt=attempt, unknown=unknown)


def test_safety_goes_first_and_one_worker_is_kept_free_for_it() -> None:
    hand = Hand(workers=2, max_batch=2, lanes={"safety", "bulk"})
    for number in range(6):
        hand.add(claimed(number, lane="bulk"))
    first = hand.take(0.0, single=False)
    assert [one.delivery.id for one in first] == ["0", "1"]
    assert hand.take(0.0, single=False) == [], "the second worker waits for safety"
    hand.add(claimed(9, lane="safety"))
    assert [one.delivery.id for one in hand.take(0.0, single=False)] == ["9"]
    hand.landed(first)
    assert len(hand.take(0.0, single=False)) == 2
    assert hand.flying == 3


def test_a_batch_is_of_one_lane_and_safety_has_room_in_a_hand_that_is_full() -> None:
    hand = Hand(workers=2, max_batch=4, lanes={"safety", "normal", "bulk"})
    for number, lane in enumerate(("bulk", "normal", "safety", "bulk", "normal", "safety")):
        hand.add(claimed(number, lane=lane))
    for number in range(hand.room(0)):
        hand.add(claimed(f"b{number}", lane="bulk"))
    assert (hand.room(0), hand.room_for_safety()) == (0, 14)
    batches = [hand.take(0.0, single=False), hand.take(0.0, single=False)]
    assert [{one.lane for one in batch} for batch in batches] == [{"safety"}, {"normal"}]
    assert hand.room_for_safety() == 16


def test_what_must_be_checked_first_goes_alone() -> None:
    hand = Hand(workers=3, max_batch=10, lanes={"bulk"})
    for one in (claimed(1), claimed(2, unknown=True), claimed(3), claimed(4)):
        hand.add(one)
    assert [len(hand.take(0.0, single=False)) for _ in range(3)] == [1, 1, 2]


def test_more_is_claimed_ahead_where_it_leaves_quickly_and_less_where_it_does_not() -> None:
    hand = Hand(workers=1, max_batch=1, lanes={"bulk"})
    rooms = []
    for seconds in (0.01, 0.01, 0.01, 5.0):
        room = hand.room(0)
        rooms.append(room)
        for number in range(room):
            hand.add(claimed(number))
        hand.filled(0.0, full=True)
        for _ in range(room):
            hand.landed(hand.take(seconds, single=False))
    assert rooms == [2, 4, 8, 16]
    assert hand.room(0) == 8
    assert hand.room(8) == 0, "what is not settled yet counts"


# ---- settling

DELIVERED, RETRY, REJECT, UNKNOWN = Delivered((Receipt("application", "AA"),)), Retry("down"), Reject("no"), Unknown("timeout")
UNTRIED = Retry("no-time-left", untried=True)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("outcome", "policy", "age", "checked", "state", "reason"),
    [
        (DELIVERED, CARE, 0.0, False, "delivered", ""),
        (DELIVERED, CARE, 99 * DAY, True, "delivered", ""),
        (RETRY, CARE, 6 * DAY, False, "due", ""),
        (RETRY, CARE, 7 * DAY, False, "dead", "gave-up"),
        (RETRY, BY_HAND, 0.0, False, "dead", "gave-up"),
        (UNTRIED, CARE, 99 * DAY, True, "due", ""),
        (UNTRIED, BY_HAND, 0.0, False, "due", ""),
        (REJECT, CARE, 0.0, False, "dead", "rejected"),
        (UNKNOWN, CARE, 0.0, True, "unknown", ""),
        (UNKNOWN, CARE, 99 * DAY, False, "unknown", ""),
        (UNKNOWN, BY_HAND, 0.0, False, "unknown", ""),
        (UNKNOWN, BY_HAND, 0.0, True, "dead", "outcome-unknown"),
        (UNKNOWN, CARE, 99 * DAY, True, "dead", "outcome-unknown"),
    ],
)
def test_what_becomes_of_a_delivery(  # noqa: PLR0917 - a row of the table
    outcome: Outcome, policy: object, age: float, checked: bool, state: str, reason: str
) -> None:
    one = settled(claimed(1, age=age), outcome, policy, checked=checked, started=NOW, ended=NOW, rng=random.Random(1))  # type: ignore[arg-type]
    assert (one.state, one.reason) == (state, reason)
    assert (one.not_before is not None) == (state in ("due", "unknown"))


@pytest.mark.parametrize(("wish", "least", "most"), [(20.0, 20.0, 20.0), (0.001, 0.001, 0.5), (1e9, 3600.0, 3600.0)])
def test_the_receivers_wish_counts_when_it_is_longer_than_our_pause(wish: float, least: float, most: float) -> None:
    one = settled(claimed(1), Retry("busy", after=wish), CARE, checked=False, started=NOW, ended=NOW, rng=random.Random(1))
    assert one.not_before is not None
    assert least <= (one.not_before - NOW).total_seconds() <= most
