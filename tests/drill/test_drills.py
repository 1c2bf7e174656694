"""Every drill once, small: each must hurt, and cost nothing."""

from __future__ import annotations

import pytest
from drill.course import drilled, told

from isthmus.app.drill.catalogue import DRILLS

TIMES = {"kill": 10, "writes": 8, "power": 2, "odoo-restart": 1, "postgres-restart": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DRILLS if name != "postgres-restart"])
async def test_it_hurts_and_nothing_is_lost_doubled_or_reordered(name: str) -> None:
    report = await drilled(DRILLS[name], times=TIMES.get(name, 0))
    if report.verdict == "left out":
        pytest.skip(f"drill {name}: {report.why}")
    assert report.verdict == "passed", told(report)
    assert report.account is not None
    assert report.account.acknowledged == report.account.said > 30
    assert report.strikes > 0
    assert report.recovery is not None
    if name != "slow":  # slowness below the time-out is no failure: nothing has to be told
        assert report.detection is not None, told(report)
        assert report.containment is not None, told(report)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("name", ["postgres-restart", "kill"])
async def test_on_postgresql_too(name: str, postgres_server: str) -> None:
    report = await drilled(DRILLS[name], times=2, dsn=postgres_server)
    assert report.verdict == "passed", told(report)
