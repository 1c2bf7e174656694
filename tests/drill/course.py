"""One drill, done in a test: the built-in ward, a seed that is told when something fails."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from isthmus.app import drill as package
from isthmus.app.config import read_config
from isthmus.app.drill.catalogue import Drill
from isthmus.app.drill.course import Settings, run
from isthmus.app.drill.report import DrillReport
from isthmus.app.site_loader import load_site

WARD = Path(str(package.__file__)).parent / "ward"
SEED = os.environ.get("ISTHMUS_DRILL_SEED") or secrets.token_hex(4)
"""Another one each time; a failure tells it, and this variable repeats it."""


async def drilled(
    drill: Drill, *, times: int = 0, seconds: float = 1.2, dsn: str = "", folder: Path = WARD, drained: float = 60.0
) -> DrillReport:
    loaded = read_config(folder, {}, secrets=False)
    assert loaded.config is not None, loaded.findings
    code = load_site(folder, loaded.config.name)
    assert not code.findings
    settings = Settings(seed=SEED, seconds=seconds, rate=80, times=times, drained=drained, dsn=dsn)
    return await run(drill, code.site, loaded.config, settings)


def told(report: DrillReport) -> str:
    """Everything, for whoever reads that a drill has failed."""
    return f"ISTHMUS_DRILL_SEED={SEED} repeats it\n" + msgspec.json.format(msgspec.json.encode(report)).decode()
