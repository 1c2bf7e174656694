"""The watched folder on disk. A file moves: folder → ``taking/`` → ``done/``, ``refused/`` or ``rejected/``.

It is moved to ``taking/`` before it is read, so that a sender who writes the same name again makes a new file instead of changing
the one that is being taken. What a killed process left in ``taking/`` is taken again: its messages are duplicates by then, or new.

Blocking: called in a worker thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from isthmus.connectors.file.atomic import TEMPORARY, free_name, sha256_of
from isthmus.connectors.file.readiness import COMPANIONS, Seen

_SMALL = 1 << 16
_HEX = re.compile(r"\s*\\?([0-9a-fA-F]{64})(?:\s|\Z)")


class Taken(Struct, frozen=True, kw_only=True):
    """A file that was read to its end once, and stood still meanwhile."""

    seen: Seen
    path: Path
    digest: str
    totals: bytes | None
    """What stands in ``<name>.totals``."""


class Flaw(Struct, frozen=True):
    """Why a file is no proper file."""

    code: str
    cure: str


class Inbox:
    """One folder with its subfolders."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._taking, self._done = folder / "taking", folder / "done"
        self._refused, self._rejected = folder / "refused", folder / "rejected"

    def prepare(self) -> None:
        for folder in (self._taking, self._done, self._refused, self._rejected):
            folder.mkdir(parents=True, exist_ok=True)

    def look(self) -> list[Seen]:
        """All regular files; symbolic links are left alone, they might lead anywhere."""
        return _look(self._folder)

    def left_over(self) -> list[Seen]:
        """What is in ``taking/``, companions aside, by name."""
        return sorted((one for one in _look(self._taking) if not one.name.endswith(COMPANIONS)), key=lambda one: one.name)

    def claim(self, seen: Seen) -> bool:
        """Into ``taking/``; False when it is gone, or one of its name is still being taken."""
        target = self._taking / seen.name
        if os.path.lexists(target):
            return False
        try:
            (self._folder / seen.name).rename(target)
        except FileNotFoundError:
            return False
        for companion in COMPANIONS:
            _move_if_there(self._folder / (seen.name + companion), self._taking / (seen.name + companion))
        return True

    def read(self, name: str) -> Taken | Flaw | None:
        """A claimed file; None when it changes while it is read (then it was put back, to settle)."""
        path = self._taking / name
        before = _seen(path)
        if before.size > self._max_bytes:
            return Flaw("too-large", f"larger than max_bytes ({self._max_bytes}): send smaller files, or raise it")
        digest = sha256_of(path) or ""
        if _seen(path) != before:
            self._put_back(name)
            return None
        if not before.size:
            return Flaw("empty", "the file holds nothing: send it again")
        flaw = self._mismatch(name, digest)
        return flaw or Taken(seen=before, path=path, digest=digest, totals=self._totals(name))

    def finish(self, taken: Taken, refusals: Sequence[bytes], remarks: Sequence[str]) -> str:
        """Out of ``taking/``: to ``done``, or to ``refused`` with the answers beside it. Returns the subfolder's name."""
        return self._finish(taken, "refused" if refusals else "done", refusals, remarks, b"")

    def finish_rows(self, taken: Taken, manifest: bytes, *, whole: bool) -> str:
        """The same for a file of rows, with its manifest beside it."""
        return self._finish(taken, "done" if whole else "refused", (), (), manifest)

    def _finish(self, taken: Taken, where: str, refusals: Sequence[bytes], remarks: Sequence[str], manifest: bytes) -> str:
        name = taken.seen.name
        if _seen(self._taking / name) != taken.seen:
            self.reject(name, Flaw("changed", "it was written to after it was complete: write to a temporary name, then rename"))
            return "rejected"
        target = self._move(name, self._folder / where)
        if manifest:
            _write(target, ".manifest.json", manifest)
        if refusals:
            _write(target, ".ack", b"\n".join(refusals))
        if remarks:
            _write(target, ".remarks", "".join(f"{remark}\n" for remark in remarks).encode())
        return target.parent.name

    def reject(self, name: str, flaw: Flaw) -> None:
        """To ``rejected/`` with the reason beside it."""
        _write(self._move(name, self._rejected), ".reason", f"{flaw.code}: {flaw.cure}\n".encode())

    def _mismatch(self, name: str, digest: str) -> Flaw | None:
        companion = self._taking / f"{name}.sha256"
        try:
            told = companion.read_text("ascii", "replace")
        except FileNotFoundError:
            return None
        match = _HEX.match(told)
        if match is None:
            return Flaw("checksum-unreadable", f"{name}.sha256 must begin with 64 hexadecimal digits, as sha256sum writes them")
        if match[1].lower() != digest:
            return Flaw("checksum", "the content is not what its .sha256 file says: send both again")
        return None

    def _totals(self, name: str) -> bytes | None:
        path = self._taking / f"{name}.totals"
        try:
            return path.read_bytes() if path.stat().st_size < _SMALL else b""
        except FileNotFoundError:
            return None

    def _put_back(self, name: str) -> None:
        for one in (name, *(name + companion for companion in COMPANIONS)):
            if not os.path.lexists(self._folder / one):
                _move_if_there(self._taking / one, self._folder / one)

    def _move(self, name: str, folder: Path) -> Path:
        """The file and its companions, under a name that is free there."""
        target = free_name(folder, name)
        for companion in COMPANIONS:
            _move_if_there(self._taking / (name + companion), target.with_name(target.name + companion))
        (self._taking / name).rename(target)
        return target


def _look(folder: Path) -> list[Seen]:
    with os.scandir(folder) as entries:
        found: list[Seen] = []
        for entry in entries:
            try:
                if entry.is_file(follow_symlinks=False):
                    found.append(_as_seen(entry.name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue  # went away during the look: nothing of ours
        return found


def _seen(path: Path) -> Seen:
    return _as_seen(path.name, path.stat(follow_symlinks=False))


def _as_seen(name: str, stat: os.stat_result) -> Seen:
    return Seen(name=name, size=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def _move_if_there(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except FileNotFoundError:
        return


def _write(beside: Path, ending: str, content: bytes) -> None:
    """Seen whole or not at all."""
    target = beside.with_name(beside.name + ending)
    draft = target.with_name(f"{TEMPORARY}{target.name}.part")
    draft.write_bytes(content)
    draft.rename(target)
