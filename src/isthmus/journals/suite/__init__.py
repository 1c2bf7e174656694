"""The contract suite of journals: every promise of the port as a test. Shipped, so that anyone can certify an adapter.

It needs pytest and pytest-asyncio. A test module of an adapter says how to make one, and takes over the tests::

    from isthmus.journals.suite import *

    @pytest.fixture
    def make_journal(tmp_path):
        keyring = Keyring.ephemeral()
        return lambda: MyJournal(tmp_path / "journal", keyring)

``make_journal`` gives a factory: each call makes another, unopened journal over the *same*, at first empty, store, so that tests can
close a journal and look at what is left. The adapter is right when all tests pass. One that several nodes can open has ``Members``, and
takes over its tests too::

    from isthmus.journals.suite.members import TestMembers, nodes
"""

# ruff: noqa: E402 - assertions can be told in full only in modules that pytest knows of before they are imported

import pytest

for _theme in ("acts", "archive", "intake", "members", "model", "order", "outbox", "reprocess", "stages", "tallies", "upkeep"):
    pytest.register_assert_rewrite(f"{__name__}.{_theme}")

from isthmus.journals.suite.acts import TestActs
from isthmus.journals.suite.archive import TestArchive
from isthmus.journals.suite.fixtures import MakeJournal, journal
from isthmus.journals.suite.intake import TestIntake
from isthmus.journals.suite.model import TestSameAsMemory
from isthmus.journals.suite.order import TestOrder
from isthmus.journals.suite.outbox import TestOutbox
from isthmus.journals.suite.reprocess import TestReprocess
from isthmus.journals.suite.stages import TestStages
from isthmus.journals.suite.tallies import TestTallies
from isthmus.journals.suite.upkeep import TestUpkeep

__all__ = [
    "MakeJournal", "TestActs", "TestArchive", "TestIntake", "TestOrder", "TestOutbox", "TestReprocess", "TestSameAsMemory", "TestStages",
    "TestTallies", "TestUpkeep", "journal",
]  # fmt: skip
