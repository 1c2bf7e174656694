"""The journal in PostgreSQL keeps the port's promises."""

from __future__ import annotations

import pytest

from isthmus.journals.postgres import PostgresJournal
from isthmus.journals.sealing import Keyring
from isthmus.journals.suite import *  # noqa: F403 - the suite's tests are taken over as a whole
from isthmus.journals.suite import MakeJournal
from isthmus.journals.suite.members import TestMembers, nodes

__all__ = ["TestMembers", "nodes"]

pytestmark = pytest.mark.postgres


@pytest.fixture
def make_journal(postgres_dsn: str) -> MakeJournal:
    keyring = Keyring.ephemeral()
    return lambda: PostgresJournal(postgres_dsn, keyring)
