"""Every fixture means what the plan beside it says. `ISTHMUS_WRITE_PLANS=1 pytest hospital/interfaces/supply_use` writes the plans anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.testing import assert_plan, cases

HERE = Path(__file__).parent


@pytest.mark.parametrize("message", list(cases(HERE)), ids=lambda path: path.name)
def test_plan(message: Path) -> None:
    assert_plan(message)
