"""The sites that ship with the program: a small one to begin with, and the reference hospital."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Literal

from isthmus.app.site_loader import reference_site
from isthmus.core import Rejected

Template = Literal["small", "reference"]

_LEFT_OUT = ("__pycache__", "*.pyc", "var", ".pytest_cache", ".ruff_cache", ".mypy_cache")
_NAME = "@NAME@"


def small_site() -> Path:
    """The folder from which a new site is made."""
    return Path(str(files("isthmus.app"))) / "scaffold"


def copy_site(template: Template, folder: Path) -> list[Path]:
    """Make a new site in a folder that is absent or empty; returns its files. Raises ``Rejected`` rather than overwrite anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Rejected("folder-in-use", f"{folder} exists and is not empty: name a new folder")
    source = reference_site() if template == "reference" else small_site()
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True)
    if template == "small":
        (folder / "__init__.py").unlink()
        (folder / "gitignore").rename(folder / ".gitignore")
        for name in ("isthmus.toml", "README.md"):
            path = folder / name
            path.write_text(path.read_text(encoding="utf-8").replace(_NAME, folder.resolve().name), encoding="utf-8")
    return sorted(_files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
