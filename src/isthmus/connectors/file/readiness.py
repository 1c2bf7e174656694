"""When a file in a watched folder is complete, and which files are none of ours. Pure: sightings in, names out."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from msgspec import Struct

from isthmus.connectors.file.settings import FileSource

COMPANIONS = (".done", ".sha256", ".totals")
"""Endings of files that say something about the file whose name stands before."""
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")


class Seen(Struct, frozen=True, kw_only=True):
    """A regular file at one look."""

    name: str
    size: int
    mtime_ns: int
    inode: int


def is_candidate(name: str, pattern: str) -> bool:
    """Neither hidden nor temporary nor a companion, and of the pattern."""
    return (
        not name.startswith(".")
        and not name.lower().endswith(_UNFINISHED)
        and not name.endswith(COMPANIONS)
        and fnmatch.fnmatchcase(name, pattern)
    )


class Readiness:
    """Remembers what earlier looks saw."""

    def __init__(self, settings: FileSource) -> None:
        self._settings = settings
        self._since: dict[str, tuple[Seen, float]] = {}
        self.waiting = 0
        """Candidates of the last look that are not complete yet."""

    def complete(self, sightings: Sequence[Seen], now: float) -> list[Seen]:
        """The complete ones, in the order in which they are to be taken. ``now`` in seconds of any steady clock."""
        present = {one.name for one in sightings}
        candidates = [one for one in sightings if is_candidate(one.name, self._settings.pattern)]
        since = {one.name: self._first_seen(one, now) for one in candidates}
        self._since = since
        ready = [one for one in candidates if self._is_complete(one, now - since[one.name][1], present)]
        self.waiting = len(candidates) - len(ready)
        if self._settings.order == "mtime":
            return sorted(ready, key=lambda one: (one.mtime_ns, one.name))
        return sorted(ready, key=lambda one: one.name)

    def _first_seen(self, one: Seen, now: float) -> tuple[Seen, float]:
        """Since when it has looked as it does now."""
        before = self._since.get(one.name)
        return before if before is not None and before[0] == one else (one, now)

    def _is_complete(self, one: Seen, unchanged: float, present: set[str]) -> bool:
        if self._settings.complete == "settled":
            return unchanged >= self._settings.settle
        return f"{one.name}.{self._settings.complete}" in present
