"""Write docs/reference from the code. ``--check`` writes nothing and fails when a page is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from isthmus.app.reference import stale, write

FOLDER = Path(__file__).parents[1] / "docs" / "reference"

if "--check" in sys.argv[1:]:
    if pages := stale(FOLDER):
        print("stale:", ", ".join(pages), "- run `make docs` and commit what it writes")
        sys.exit(1)
else:
    print("written:", ", ".join(write(FOLDER)) or "nothing, all pages are fresh")
