"""The command: what it tells, in which forms, with which exit codes; and that it leaves real systems alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest

from isthmus.app.config import read_config
from isthmus.app.drill.catalogue import DRILLS
from isthmus.app.drill.messages import sayings
from isthmus.app.drill.sandbox import Sandbox, _ours
from isthmus.app.exits import Exit
from isthmus.app.site_loader import load_site, reference_site
from isthmus.connectors.http.practice import PracticePortal
from isthmus.core import Bug

ISTHMUS = str(Path(sys.executable).with_name("isthmus"))


def isthmus(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS")}
    return subprocess.run([ISTHMUS, *map(str, words)], text=True, capture_output=True, env=clean | environment, timeout=100, check=False)


def test_the_list_explains_every_drill() -> None:
    told = isthmus("drill", "--list")
    assert told.returncode == Exit.OK
    assert all(f"{one.name:<18}{one.title}" in told.stdout and one.words in told.stdout for one in DRILLS.values())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nonsense"], "no drill and no folder"),
        (["--journal", "postgres"], "belong together"),
        (["--rate", "0"], "proves nothing"),
        ([".", "hospital"], "no drill 'hospital'"),
    ],
)
def test_what_makes_no_sense_is_told_before_it_begins(words: list[str], told: str) -> None:
    done = isthmus("drill", *words)
    assert done.returncode == Exit.USAGE
    assert told in done.stderr


@pytest.mark.slow
def test_a_run_as_text_as_json_and_as_a_page(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = isthmus("drill", "duplicate", "postgres-restart", "--for", "1", "--seed", "again", "--json", "--html", page)
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["seed"], report["passed"]) == ("again", True)
    hurt, left = report["drills"]
    assert (hurt["verdict"], left["verdict"]) == ("passed", "left out")
    assert "--dsn" in left["why"]
    assert hurt["account"]["acknowledged"] == hurt["account"]["arrived"] > 30
    assert "seed again" in done.stderr, "what goes on is told beside the document"

    text = page.read_text()
    assert "again" in text
    assert not re.search(r"https?:|src=|@import|url\(", text), "nothing is fetched from anywhere"
    _Wellformed().feed(text)


class _Wellformed(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.slow
def test_a_site_of_ones_own_is_drilled_with_its_own_fixtures(tmp_path: Path) -> None:
    assert isthmus("init", tmp_path / "clinic").returncode == Exit.OK
    done = isthmus("drill", tmp_path / "clinic", "kill", "outage", "--times", "2", "--json")
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    kill, outage = json.loads(done.stdout)["drills"]
    assert kill["account"]["arrived"] > 30
    assert outage["verdict"] == "left out", "it only writes files"
    assert not (tmp_path / "clinic" / "var").exists(), "the site's own data folder is left alone"


@pytest.mark.slow
async def test_the_addresses_of_the_site_are_left_alone(tmp_path: Path) -> None:
    """The reference hospital, configured to real systems of ours that listen, is drilled: nobody knocks at their doors."""
    portal = PracticePortal()
    await portal.start()
    try:
        address = {"ISTHMUS__ENDPOINTS__PORTAL__URL": portal.url, "ISTHMUS__ENDPOINTS__ODOO__URL": portal.url}
        loaded = read_config(reference_site(), address, secrets=False)
        assert loaded.config is not None
        site = load_site(reference_site()).site
        sandbox = Sandbox(site, loaded.config, Random(1))
        await sandbox.furnish()
        try:
            plan = sandbox.plan().read_text()
            assert str(portal.port) not in plan
            assert "ISTHMUS_ODOO_KEY" not in plan
            with pytest.raises(Bug, match="leads out of the sandbox"):
                _ours(loaded.config, {gate.port for gate in sandbox.gates.values()}, sandbox.folder)
        finally:
            await sandbox.clear()
        assert not portal.received
    finally:
        await portal.stop()


def test_a_seed_says_the_same_again() -> None:
    site = load_site(reference_site()).site

    def said(seed: str) -> list[bytes]:
        stream = sayings(site, reference_site(), {"clinical", "supply"}, seed)
        return [next(stream).body for _ in range(60)]

    assert said("one") == said("one")
    assert said("one") != said("two")
    assert len(set(said("one"))) == 60, "each message is one of its own"
