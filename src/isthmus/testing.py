"""For authors of interfaces: test a captured message against the plan that is kept beside it.

    def test_plans() -> None:
        assert_plans(Path(__file__).parent)

Beside an ``interface.py``, ``fixtures/`` holds for each case ``<case>.hl7`` (or ``.json``, ``.csv`` …), the expected
``<case>.plan.json`` and, where the plan asks questions, ``<case>.answers.json``. ``ISTHMUS_WRITE_PLANS=1 pytest`` writes the
plans anew; read the diff before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from isthmus.app.answers import Answerer, read_answers
from isthmus.app.messages_file import messages_in
from isthmus.app.planning import as_data, dry_run
from isthmus.app.site_loader import load_site

__all__ = ["assert_plan", "assert_plans", "cases", "plan_file"]

_PLAN, _ANSWERS = ".plan.json", ".answers.json"


def plan_file(site: Path, message: Path, *, interface: str = "", answers: Path | None = None) -> list[dict[str, Any]]:
    """What the messages of a file mean to a site: one plan for each, in the form of ``isthmus plan --json``.

    Raises ``AssertionError`` when the site's code has findings. A lookup without a recorded answer gets a stand-in and says so.
    """
    loaded = load_site(site)
    assert not loaded.findings, "\n".join(f"{one.where}: {one.problem}. {one.cure}" for one in loaded.findings)
    recorded = read_answers(answers) if answers is not None else ()
    return [
        as_data(dry_run(loaded.site, body, interface=interface, answerer=Answerer(recorded))) for body in messages_in(message.read_bytes())
    ]


def cases(interface_folder: Path) -> list[Path]:
    """The messages in ``fixtures/`` of an interface, by name; for ``pytest.mark.parametrize``."""
    files = sorted(path for path in (interface_folder / "fixtures").iterdir() if path.is_file())
    return [path for path in files if not path.name.endswith((_PLAN, _ANSWERS, ".md"))]


def assert_plan(message: Path, *, site: Path | None = None, interface: str = "") -> None:
    """The message means what ``<case>.plan.json`` beside it says; the failure shows the difference line by line."""
    expected = message.with_name(message.stem + _PLAN)
    answers = message.with_name(message.stem + _ANSWERS)
    plans = plan_file(site or _site_of(message), message, interface=interface, answers=answers if answers.exists() else None)
    text = _text(plans[0] if len(plans) == 1 else plans)
    if os.environ.get("ISTHMUS_WRITE_PLANS"):
        expected.write_text(text, encoding="utf-8")
    if not expected.exists():
        raise AssertionError(f"{expected} is missing; ISTHMUS_WRITE_PLANS=1 writes it. The plan is now:\n{text}")
    if text != _text(msgspec.json.decode(expected.read_bytes())):
        raise AssertionError(_difference(expected, text))


def assert_plans(interface_folder: Path) -> None:
    """Every case of an interface; fails when there is none, or when an expected plan has lost its message."""
    messages = cases(interface_folder)
    if not messages:
        raise AssertionError(f"{interface_folder}/fixtures holds no message")
    stems = {one.stem for one in messages}
    lost = [one.name for one in (interface_folder / "fixtures").glob("*.json") if _case_of(one) not in stems]
    if lost:
        raise AssertionError(f"without a message beside them: {', '.join(sorted(lost))}")
    for message in messages:
        assert_plan(message)


def _case_of(path: Path) -> str:
    return path.name.removesuffix(_PLAN).removesuffix(_ANSWERS).removesuffix(".json")


def _site_of(path: Path) -> Path:
    """The nearest folder above that holds ``interfaces``."""
    for folder in path.resolve().parents:
        if (folder / "interfaces").is_dir():
            return folder
    raise AssertionError(f"{path} lies in no site: there is no folder with interfaces/ above it")


def _text(plan: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(plan), indent=2).decode() + "\n"


def _difference(expected: Path, text: str) -> str:
    import difflib  # noqa: PLC0415 - only on failure

    wanted = _text(msgspec.json.decode(expected.read_bytes()))
    lines = difflib.unified_diff(wanted.splitlines(), text.splitlines(), str(expected.name), "the plan now", lineterm="", n=2)
    return "the plan is another than expected (ISTHMUS_WRITE_PLANS=1 takes the new one):\n" + "\n".join(lines)
