"""The runner of pages must itself be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs import executed

FILE = '```text title="a.txt"\none\n```\n'


def page(tmp_path: Path, text: str) -> Path:
    (tmp_path / "page.md").write_text(text)
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    "text",
    [
        FILE + "```console\n$ cat a.txt\none\n```\n",
        FILE + "```console\n$ cat a.txt\no...\n```\n",
        "```console\n$ seq 5\n1\n...\n5\n```\n",
        "```console\n$ seq 5\n1\n...\n```\n",
        "```console\n$ exit 3  # exits 3\n```\n",
        "```console\n$ mkdir b\n$ cd b\n$ basename $PWD\nb\n```\n",
    ],
)
def test_a_true_page_passes(tmp_path: Path, text: str) -> None:
    assert executed.run(page(tmp_path, text), tmp_path) >= 1


@pytest.mark.parametrize(
    "text",
    [
        FILE + "```console\n$ cat a.txt\ntwo\n```\n",
        FILE + "```console\n$ cat b.txt\n```\n",
        "```console\n$ seq 5\n1\n2\n```\n",
        "```console\n$ seq 5\n1\n...\n4\n```\n",
        "```console\n$ true  # exits 3\n```\n",
    ],
)
def test_a_page_that_lies_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError):
        executed.run(page(tmp_path, text), tmp_path)
