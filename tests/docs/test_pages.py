"""Every page whose commands a reader may type is typed here, from its first line to its last."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs import executed

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = [DOCS / "tutorial" / "first-interface.md"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of the reader's own. What a page starts in the background is ended, also when the page failed half-way."""
    yield tmp_path
    for note in tmp_path.rglob("*.pid"):
        try:
            os.kill(int(note.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages ask Odoo with curl: sudo apt-get install curl")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_the_page_does_what_it_says(page: Path, folder: Path) -> None:
    assert executed.run(page, folder) > 5
