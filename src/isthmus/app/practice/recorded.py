"""Recorded messages as utterances: files and folders, one message each or many, MLLP-framed or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from isthmus.app.messages_file import messages_in
from isthmus.app.practice.speech import Utterance
from isthmus.core import Invalid
from isthmus.formats.hl7v2 import HL7V2

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_OTHER_FILES = frozenset([".csv", ".fhir", ".json", ".md", ".pdf", ".png", ".toml", ".txt", ".xml", ".yaml", ".yml"])
"""In a folder, files with these endings are not sent; a file that is named by itself always is."""


class Recording(Struct, frozen=True):
    """What was found: the messages in the order of the files, and the files that hold none."""

    utterances: tuple[Utterance, ...]
    files: int
    passed_over: tuple[Path, ...]


def read(paths: Sequence[Path]) -> Recording:
    """Read all of them; raises ``FileNotFoundError`` where there is none."""
    utterances: list[Utterance] = []
    empty: list[Path] = []
    files = 0
    for path in _files(paths):
        bodies = messages_in(path.read_bytes())
        if path not in paths and (path.suffix.lower() in _OTHER_FILES or not any(_is_hl7(body) for body in bodies)):
            empty.append(path)
            continue
        files += 1
        utterances += [_utterance(body) for body in bodies]
    return Recording(tuple(utterances), files, tuple(empty))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
        else:
            yield path


def _is_hl7(body: bytes) -> bool:
    return b"MSH" in body[:16]


def _utterance(body: bytes) -> Utterance:
    """Who it is about decides over which connection it goes, so that a patient's messages keep their order."""
    try:
        kind, about = HL7V2.header(body).kind, HL7V2.open(body)["PID-3"]
    except Invalid:
        kind, about = "unreadable", ""
    return Utterance(at=_NO_TIME, system="recorded", about=about, kind=kind or "untyped", body=body)
