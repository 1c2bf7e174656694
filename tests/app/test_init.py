"""A new site runs as it is made, from a checkout and from an installed wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from isthmus.app.exits import Exit
from isthmus.app.site_loader import reference_site

ROOT = Path(__file__).parents[2]


def test_a_small_site_is_sound_and_its_own_tests_pass(isthmus, tmp_path: Path) -> None:
    folder = tmp_path / "north-clinic"
    made = isthmus("init", folder)
    assert made.returncode == Exit.OK, made.stderr
    assert isthmus("check", folder).stdout == "north-clinic is sound: 1 interface, 1 subscription, 1 endpoint\n"
    assert (folder / ".gitignore").read_text().startswith("var/")
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert "3 passed" in tests.stdout, tests.stdout


def test_an_expected_plan_that_is_wrong_fails_and_shows_the_difference(isthmus, tmp_path: Path) -> None:
    folder = tmp_path / "clinic"
    isthmus("init", folder)
    plan = folder / "interfaces/admissions/fixtures/admission.plan.json"
    plan.write_text(plan.read_text().replace("WEST", "EAST"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    failed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert failed.returncode == 1
    assert '-        "ward": "EAST"' in failed.stdout
    written = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "ISTHMUS_WRITE_PLANS": "1"}
    )
    assert written.returncode == 0
    assert "WEST" in plan.read_text()


def test_the_reference_hospital_is_copied_whole(isthmus, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    made = json.loads(isthmus("init", folder, "--template", "reference", "--json").stdout)
    assert "isthmus.toml" in made["files"]
    assert not [name for name in made["files"] if "__pycache__" in name or name.startswith("var/")]
    assert (folder / "isthmus.toml").read_text() == (reference_site() / "isthmus.toml").read_text()
    assert isthmus("check", folder).returncode == Exit.OK


def test_nothing_is_overwritten(isthmus, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    refused = isthmus("init", tmp_path)
    assert refused.returncode == Exit.USAGE
    assert "not empty" in refused.stderr
    assert (tmp_path / "kept").read_text() == "mine"
    assert isthmus("init", tmp_path / "kept").returncode == Exit.USAGE


@pytest.mark.slow  # builds and installs
def test_from_an_installed_wheel(tmp_path: Path) -> None:
    """Built as it is released, installed without the checkout: init, check and plan work, and the reference hospital is there."""
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and "hatchling" in built.stderr:
        pytest.skip("building the wheel takes hatchling from a package registry, and none can be reached from here")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    (site_packages,) = home.glob("lib/python*/site-packages")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site_packages)], check=True)
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    script = "import sys; from isthmus.app.cli import main; sys.exit(main())"
    isolated = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{site_packages}:{dependencies}", "HOME": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(home / "bin/python"), "-c", script, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=isolated)

    where = subprocess.run(
        [str(home / "bin/python"), "-c", "import isthmus; print(isthmus.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        env=isolated,
    )
    assert where.stdout.startswith(str(site_packages))
    for template in ("small", "reference"):
        made = run("init", template, "--template", template)
        assert made.returncode == Exit.OK, made.stderr
        checked = run("check", template)
        assert checked.returncode == Exit.OK, checked.stdout + checked.stderr
    planned = run("plan", "small/interfaces/admissions/fixtures/admission.hl7", "--site", "small")
    assert "bed.changed" in planned.stdout, planned.stderr
    names = [path.name for path in (site_packages / "isthmus/_hospital").rglob("*")]
    assert not [name for name in names if name == "__pycache__" or name.endswith(".sqlite")]
