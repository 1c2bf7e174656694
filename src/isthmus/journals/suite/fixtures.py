"""The fixture that the suite's tests take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from isthmus.journals.port import Journal

MakeJournal = Callable[[], Journal]
"""What the fixture ``make_journal`` of an adapter's test module gives."""


@pytest_asyncio.fixture
async def journal(make_journal: MakeJournal) -> AsyncIterator[Journal]:
    """An open journal over an empty store."""
    made = make_journal()
    await made.open()
    yield made
    await made.close()
