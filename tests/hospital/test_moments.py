"""Times out of all time are not said: 0001 and 9999 stand for "unknown" and "for ever", and overflow whoever reckons with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.app.planning import dry_run
from isthmus.app.site_loader import load_site

HOSPITAL = Path(__file__).parent.parent.parent / "hospital"
BOOKED = (
    "MSH|^~\\&|SCHED|NORTH|ISTHMUS|NORTH|20260301081500+0100||SIU^S12^SIU_S12|S4005|P|2.5.1\r"
    "SCH|A-1|A-1|||||||20|min|^^20^{start}^{end}||||||||||||||Booked\rPID|1||MRN-1^^^NORTH^MR\r"
)


@pytest.mark.parametrize("start", ["99991231235959", "00010101000000", "99991231", "00010101000000+1400"])
def test_a_time_out_of_all_time_is_refused_with_its_place(start: str) -> None:
    run = dry_run(load_site(HOSPITAL).site, BOOKED.format(start=start, end="99991231235959").encode())
    assert (run.verdict, run.reason, run.troubles) == ("invalid", "contract", ())
    assert any(one.where.startswith("SCH-11") for one in run.plan.violations)


def test_an_end_for_ever_is_half_an_hour_or_what_the_duration_says() -> None:
    run = dry_run(load_site(HOSPITAL).site, BOOKED.format(start="20260310090000", end="99991231235959").encode())
    assert run.ok
