"""Duties: who works on what, and how much of a target each node may use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isthmus.engine.duties import Portion, falls_to, lesser, portion, ranked

NODES = st.lists(st.from_regex(r"[a-z]{1,6}:[0-9]", fullmatch=True), min_size=1, max_size=9, unique_by=lambda node: node.split(":")[0])
WHOLE = st.builds(Portion, st.none() | st.floats(0.1, 200.0), st.none() | st.integers(1, 20))
DUTIES = [f"subscription {number}" for number in range(200)]


@given(NODES, st.randoms())
def test_every_duty_is_one_nodes_whoever_counts(nodes: list[str], order: object) -> None:
    other = list(nodes)
    order.shuffle(other)  # type: ignore[attr-defined]
    for duty in DUTIES[:20]:
        assert falls_to(duty, nodes) == falls_to(duty, other) == ranked(duty, other)[0]


@given(NODES)
def test_when_a_node_leaves_only_its_duties_move(nodes: list[str]) -> None:
    before = {duty: falls_to(duty, nodes) for duty in DUTIES[:40]}
    for gone in nodes[1:]:
        left = [node for node in nodes if node != gone]
        moved = {duty for duty, node in before.items() if falls_to(duty, left) != node}
        assert moved == {duty for duty, node in before.items() if node == gone}


def test_a_node_that_comes_back_under_its_name_gets_its_duties_back() -> None:
    for duty in DUTIES:
        assert falls_to(duty, ["a:1", "b:7"]).split(":")[0] == falls_to(duty, ["a:2", "b:7"]).split(":")[0]


def test_duties_are_spread() -> None:
    nodes = ["a:1", "b:1", "c:1", "d:1"]
    counts = [sum(falls_to(duty, nodes) == node for duty in DUTIES) for node in nodes]
    assert min(counts) > 25, counts


def test_where_nobody_is_nothing_falls_to_anybody() -> None:
    assert falls_to("anything", []) == ""


@given(WHOLE, st.integers(1, 12))
def test_portions_add_up_to_no_more_than_the_whole(whole: Portion, nodes: int) -> None:
    portions = [one for rank in range(nodes) if (one := portion(whole, rank, nodes)) is not None]
    assert portions, "somebody sends"
    if whole.calls_per_second is not None:
        assert sum(one.calls_per_second or 0 for one in portions) <= whole.calls_per_second
    if whole.in_flight is not None:
        assert sum(one.in_flight or 0 for one in portions) <= whole.in_flight
        assert all(one.in_flight for one in portions)


@given(WHOLE, NODES, st.data())
def test_when_a_node_leaves_nobodys_portion_becomes_smaller(whole: Portion, nodes: list[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(nodes))
    before, after = ranked("endpoint odoo", nodes), ranked("endpoint odoo", [node for node in nodes if node != gone])
    for node in after:
        was, now = portion(whole, before.index(node), len(before)), portion(whole, after.index(node), len(after))
        assert lesser(was, now) == was


def test_less_of_nothing_is_nothing_and_less_of_no_limit_is_a_limit() -> None:
    assert lesser(None, Portion()) is None
    assert lesser(Portion(), Portion(3.0, 2)) == Portion(3.0, 2)
    assert lesser(Portion(5.0, 1), Portion(3.0, 2)) == Portion(3.0, 1)
