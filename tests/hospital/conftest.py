"""The reference hospital, loaded as any site is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.app.planning import DryRun, dry_run
from isthmus.app.site_loader import load_site
from isthmus.core import Site

HOSPITAL = Path(__file__).parents[2] / "hospital"


@pytest.fixture(scope="session")
def site() -> Site:
    loaded = load_site(HOSPITAL)
    assert loaded.findings == ()
    return loaded.site


@pytest.fixture(scope="session")
def plan(site: Site) -> Callable[[bytes | str], DryRun]:
    """Plan one message; a text may use LF."""

    def planned(body: bytes | str) -> DryRun:
        return dry_run(site, body if isinstance(body, bytes) else body.strip().replace("\n", "\r").encode())

    return planned
