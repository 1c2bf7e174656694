"""Loading a site: what is declared is found; what is wrong is told with file and line, all at once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from isthmus.app.site_loader import load_site


def test_a_site_is_found_whole(make_site) -> None:
    loaded = load_site(make_site({}))
    assert loaded.findings == ()
    assert [one.name for one in loaded.site.interfaces] == ["supply.cabinet"]
    assert [one.name for one in loaded.site.subscriptions] == ["portal.tell"]
    assert list(loaded.site.endpoints) == ["portal"]
    assert [one.spec.type for one in loaded.site.catalogue] == ["supply.taken"]


def test_the_same_folder_gives_the_same_objects(make_site) -> None:
    folder = make_site({})
    assert load_site(folder).site.interfaces[0] is load_site(folder).site.interfaces[0]


def test_two_folders_of_one_name_do_not_meet(tmp_path: Path, make_site) -> None:
    first = load_site(make_site({}))
    copy = tmp_path / "elsewhere" / "westwing"
    shutil.copytree(tmp_path / "westwing", copy, ignore=shutil.ignore_patterns("__pycache__"))
    second = load_site(copy)
    assert second.findings == ()
    assert second.site.interfaces[0] is not first.site.interfaces[0]


@pytest.mark.parametrize("name", ["json", "isthmus", "my-site", "2nd", "site"])
def test_any_folder_name_will_do(tmp_path: Path, make_site, name: str) -> None:
    folder = tmp_path / name
    make_site({}).rename(folder)
    before = sys.modules.get(name)
    loaded = load_site(folder)
    assert loaded.findings == ()
    assert len(loaded.site.interfaces) == 1
    assert sys.modules.get(name) is before or before is None


BROKEN = {
    "interfaces/one/interface.py": "def f(:\n",
    "interfaces/two/interface.py": "x = 1\ny = undefined_name\n",
    "interfaces/three/interface.py": "from ...systems import prtal\n",
    "interfaces/four/interface.py": "import isthmus.nothing\n",
    "interfaces/five/interface.py": (
        "from isthmus.core import Event, canonical\n\n\n@canonical('x.y', version=1, owner='o', key=('nope',))\n"
        "class X(Event, frozen=True, kw_only=True):\n    a: str\n"
    ),
    "interfaces/six/interface.py": "def raises():\n    raise OSError('boom')\n\n\nraises()\n",
}


def test_every_broken_file_is_told_with_its_line(make_site) -> None:
    loaded = load_site(make_site(BROKEN))
    told = {one.where: one.problem for one in loaded.findings}
    assert loaded.broken
    assert "no valid Python" in told["interfaces/one/interface.py:1"]
    assert "NameError" in told["interfaces/two/interface.py:2"]
    assert "prtal" in told["interfaces/three/interface.py:1"]
    assert "isthmus.nothing" in told["interfaces/four/interface.py:1"]
    assert "key and ordered_by" in told["interfaces/five/interface.py:4"]
    assert "boom" in told["interfaces/six/interface.py:2"]
    assert [one.name for one in loaded.site.interfaces] == ["supply.cabinet"]  # the good one is still seen


def test_what_core_objects_to_is_a_finding(make_site) -> None:
    twice = "from ..cabinet.interface import *\nfrom ..cabinet.interface import CLASS, Use, Contract, Json, Interface\n"
    twice += (
        "other = Interface('supply.cabinet', source='cabinet', owner='', classification=CLASS, "
        "contract=Contract(Json('use', id_field='use'), {'use': Use}))\n"
    )
    problems = [f"{one.where}: {one.problem}" for one in load_site(make_site({"interfaces/twice/interface.py": twice})).findings]
    assert "interface supply.cabinet: declared twice" in problems
    assert "interface supply.cabinet: has no owner" in problems
    assert "source cabinet: two interfaces take use" in problems
    assert "interface supply.cabinet: takes use but has no translator for it" in problems


def test_no_interface_and_no_folder(tmp_path: Path) -> None:
    (empty,) = load_site(tmp_path).findings
    assert "declares no interface" in empty.problem
    (missing,) = load_site(tmp_path / "absent").findings
    assert "no such folder" in missing.problem


IMPURE = """
import time
import datetime as dt
from asyncio import sleep
from datetime import datetime
from isthmus.engine.engine import Engine

SINCE = datetime.now()
DAY = dt.timedelta(days=1)
"""


def test_code_that_cannot_be_pure_is_told(make_site) -> None:
    files = {"interfaces/cabinet/reading.py": IMPURE, "interfaces/cabinet/test_cabinet.py": "import time\n"}
    told = {one.where: one.problem for one in load_site(make_site(files)).findings}
    assert told == {
        "interfaces/cabinet/reading.py:2": "imports time",
        "interfaces/cabinet/reading.py:4": "imports asyncio",
        "interfaces/cabinet/reading.py:6": "imports isthmus.engine.engine",
        "interfaces/cabinet/reading.py:8": "datetime.now() looks at the clock",
    }
