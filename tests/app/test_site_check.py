"""Code and configuration must agree; each disagreement is told, all at once."""

from __future__ import annotations

from isthmus.app.config import read_config
from isthmus.app.site_check import cross_check
from isthmus.app.site_loader import load_site

DISAGREEING = """
[sources.cabinett]
kind = "file"
folder = "in"
[sources.second]
kind = "file"
folder = "./in"
[sources.one]
kind = "mllp"
host = "127.0.0.1"
port = 2575
[sources.two]
kind = "mllp"
host = "0.0.0.0"
port = 2575
[endpoints.portal]
kind = "file"
folder = "out"
[endpoints.nobody]
kind = "file"
folder = "out2"
"""


def told(folder) -> dict[str, str]:
    loaded = read_config(folder, {}, secrets=False)
    assert loaded.config is not None, loaded.findings
    return {one.where: f"{one.problem} | {one.cure}" for one in cross_check(load_site(folder).site, loaded.config)}


def test_all_agree(make_site) -> None:
    assert told(make_site({})) == {}


def test_all_disagreements_at_once(make_site) -> None:
    problems = told(make_site({"isthmus.toml": DISAGREEING}))
    assert "[sources.cabinet]" in problems["sources.cabinet"]
    assert "no interface listens" in problems["sources.cabinett"]
    assert "already taken by sources.cabinett" in problems["sources.second"] or "no interface" in problems["sources.second"]
    assert "port 2575 is already taken by sources.one" in problems["sources.two"]
    assert "declares Http('portal') of kind http" in problems["endpoints.portal.kind"]
    assert "no code sends to it" in problems["endpoints.nobody"]


def test_the_engines_own_name(make_site) -> None:
    systems = 'from isthmus.connectors.http.words import Http\n\nportal = Http("portal")\nours = Http("isthmus")\n'
    assert "engine's own" in told(make_site({"systems.py": systems}))["endpoint isthmus"]
