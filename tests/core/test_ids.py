from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.ids import derive_id


@given(st.lists(st.text()), st.lists(st.text()))
def test_ids_are_equal_just_when_the_parts_are(one: list[str], other: list[str]) -> None:
    assert (derive_id(*one) == derive_id(*other)) == (one == other)


def test_ids_stay_the_same_for_ever() -> None:
    """Stored ids must be found again by every later version: this value never changes."""
    assert derive_id("event", "m1", "patient.discharged", "V1") == "247b9f41fc6f90ca2b88d6df405636e4"
