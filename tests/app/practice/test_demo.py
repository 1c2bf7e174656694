"""The demo is the product's promise in one command: a bad day, and everything still adds up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ISTHMUS = Path(sys.executable).with_name("isthmus")


@pytest.mark.slow
def test_a_bad_day_hurts_and_still_balances(tmp_path: Path) -> None:
    command = [ISTHMUS, "demo", "--messages", "400", "--rate", "0", "--faults", "bad-day", "--seed", "worst", "--json", "--data", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    sheet = json.loads(done.stdout)
    assert (sheet["balances"], sheet["lost"], sheet["duplicated"], sheet["dead"]) == (True, 0, 0, 0)
    totals = sheet["totals"]
    assert min(totals["duplicates"], totals["invalid"], totals["refused"], totals["receipts"]["business"]) > 0
    assert any(ends.get("unknown", 0) for ends in sheet["attempts"].values()), "no answer was ever lost: the day was not bad"
    assert not list(tmp_path.rglob("*.tmp"))


def test_help_names_every_fault() -> None:
    done = subprocess.run([ISTHMUS, "demo", "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert "{morning,none,bad-day}" in done.stdout
