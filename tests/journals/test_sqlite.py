"""The SQLite journal keeps the port's promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite import *  # noqa: F403 - the suite's tests are taken over as a whole
from isthmus.journals.suite import MakeJournal


@pytest.fixture
def make_journal(tmp_path: Path) -> MakeJournal:
    keyring = Keyring.ephemeral()
    return lambda: SqliteJournal(tmp_path / "journal.sqlite", keyring)
