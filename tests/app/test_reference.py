"""The reference pages come from the code: they are fresh, and nothing is left out of them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from isthmus.app.cli import parser_of
from isthmus.app.cli._list import COMMANDS
from isthmus.app.exits import Exit
from isthmus.app.reference import PAGES, stale, write
from isthmus.app.reference.configuration import settings
from isthmus.app.reference.errors import codes
from isthmus.core import Policy

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def test_pages_are_fresh() -> None:
    assert stale(DOCS) == [], "run `make docs` and commit what it writes"


def test_a_stale_page_is_noticed_and_written(tmp_path: Path) -> None:
    assert stale(tmp_path) == list(PAGES)
    write(tmp_path)
    assert stale(tmp_path) == []
    (tmp_path / "cli.md").write_text("old")
    assert write(tmp_path) == ["cli.md"]


def test_every_command_and_argument_is_documented() -> None:
    page = PAGES["cli.md"]()
    for name in COMMANDS:
        section = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        for action in parser_of(name)._actions:
            shown = (
                action.option_strings[-1] if action.option_strings else str(action.metavar or next(iter(action.choices or [action.dest])))
            )
            assert action.dest == "help" or f"`{shown}" in section or shown in section, (name, shown)


def test_every_word_is_documented() -> None:
    page = PAGES["words.md"]()
    for entry in re.split(r"^##+ ", page, flags=re.MULTILINE)[2:]:
        name, _, text = entry.partition("\n")
        said = re.sub(r"^`.*`$|^\|.*$", "", text, flags=re.MULTILINE).strip()
        assert said or name.endswith("`"), f"{name} has no docstring"  # a chapter needs none
    assert "A base class for defining" not in page, "a struct without a docstring shows msgspec's"


def test_every_setting_is_documented() -> None:
    page = PAGES["configuration.md"]()
    for section, struct in settings():
        for field in msgspec.structs.fields(struct):
            assert f"`{field.encode_name}`" in page, (section, field.name)


def test_every_exit_code_and_policy_is_documented() -> None:
    assert all(f"| {int(one)} |" in PAGES["exit-codes.md"]() for one in Exit)
    assert all(f"`{name}`" in PAGES["policy.md"]() for name in Policy.__struct_fields__)


def test_reason_codes_are_stable_words() -> None:
    found = {one.code for one in codes()}
    assert len(found) > 50
    assert [code for code in found if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)] == []
