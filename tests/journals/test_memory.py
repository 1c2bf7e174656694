"""The memory journal keeps the port's promises."""

from __future__ import annotations

import pytest

from isthmus.journals.memory import MemoryJournal
from isthmus.journals.suite import *  # noqa: F403 - the suite's tests are taken over as a whole
from isthmus.journals.suite import MakeJournal
from isthmus.journals.suite.members import TestMembers, nodes

__all__ = ["TestMembers", "nodes"]


@pytest.fixture
def make_journal() -> MakeJournal:
    kept = MemoryJournal()
    return kept.beside
