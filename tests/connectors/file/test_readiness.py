from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.connectors.file import FileSource
from isthmus.connectors.file.readiness import Readiness, Seen, is_candidate


def seen(name: str, size: int = 1, mtime: int = 1) -> Seen:
    return Seen(name=name, size=size, mtime_ns=mtime, inode=1)


def readiness(**settings: object) -> Readiness:
    return Readiness(FileSource(folder=Path(), **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", [".hidden", ".isthmus-1-a.part", "a.tmp", "a.PART", "a.filepart", "a~", "a.done", "a.sha256", "a.csv.crdownload", "b.txt"]
)
def test_leaves_alone_what_is_none_of_ours(name: str) -> None:
    assert not is_candidate(name, "a*")


@pytest.mark.parametrize("name", ["a", "a.hl7", "a.part.hl7", "a b.csv"])
def test_takes_all_else(name: str) -> None:
    assert is_candidate(name, "a*")


def test_settled_means_that_size_and_time_have_stood_still() -> None:
    files = readiness(settle=2.0)
    assert files.complete([seen("a")], 0.0) == []
    assert files.waiting == 1
    assert files.complete([seen("a", size=2)], 1.9) == []
    assert files.complete([seen("a", size=2)], 3.8) == []
    assert files.complete([seen("a", size=2)], 3.9) == [seen("a", size=2)]
    assert files.waiting == 0


def test_a_file_that_went_away_begins_anew() -> None:
    files = readiness(settle=2.0)
    files.complete([seen("a")], 0.0)
    files.complete([], 1.0)
    assert files.complete([seen("a")], 2.5) == []


@pytest.mark.parametrize("mode", ["done", "sha256"])
def test_a_companion_says_that_it_is_complete(mode: str) -> None:
    files = readiness(complete=mode)
    assert files.complete([seen("a"), seen("b")], 0.0) == []
    assert files.complete([seen("a"), seen("b"), seen(f"b.{mode}")], 0.0) == [seen("b")]


def test_order_by_name_or_by_time() -> None:
    files = [seen("c", mtime=1), seen("a", mtime=3), seen("b", mtime=1)]
    assert [one.name for one in readiness(settle=0.0).complete(files, 0.0)] == ["a", "b", "c"]
    assert [one.name for one in readiness(settle=0.0, order="mtime").complete(files, 0.0)] == ["b", "c", "a"]
