"""No page points to nowhere, and no page is left out of its shelf."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [match[1] for match in _LINK.finditer(_CODE.sub("", page.read_text()))]
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("shelf", ["how-to", "explanation", "reference"])
def test_every_page_stands_on_its_shelf(shelf: str) -> None:
    folder = ROOT / "docs" / shelf
    linked = {match[1] for match in _LINK.finditer((folder / "README.md").read_text())}
    here = {str(page.relative_to(folder)) for page in folder.rglob("*.md") if page.name != "README.md"}
    assert here <= linked
