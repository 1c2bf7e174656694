"""Each message in fixtures/ means what the plan beside it says. ISTHMUS_WRITE_PLANS=1 pytest writes the plans anew: read the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.testing import assert_plan, cases


@pytest.mark.parametrize("message", cases(Path(__file__).parent), ids=lambda path: path.name)
def test_plan(message: Path) -> None:
    assert_plan(message)
