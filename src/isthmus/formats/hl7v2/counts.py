"""Counts: whether headers, trailers and their counts in a file of batches agree (HL7 v2.5.1 §2.10.3; BHS, BTS, FHS, FTS in §2.15)."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.core.contract import Violation


class _Level:
    """A file (FHS to FTS, of batches) or a batch (BHS to BTS, of messages)."""

    def __init__(self, header: str, trailer: str, counted: str, found: list[Violation]) -> None:
        self.header, self.trailer, self.counted = header, trailer, counted
        self.count = 0
        self._found = found
        self._seen = {header: 0, trailer: 0}
        self._open = ""

    def begin(self) -> None:
        self.abandon()
        self._open = self._place(self.header)
        self.count = 0

    def end(self, raw: bytes) -> None:
        place = self._place(self.trailer)
        if not self._open:
            self._say(place, "header", f"begin with {self.header} what ends with {self.trailer}")
        said = raw[4:].split(raw[3:4] or b"|")[0].strip()
        if said and (not said.isdigit() or int(said[:18]) != self.count):
            self._say(f"{place}-1", "count", f"send the number of {self.counted}; there are {self.count}")
        self._open, self.count = "", 0

    def abandon(self) -> bool:
        """It ends without its trailer; False where none was open."""
        opened, self._open = self._open, ""
        if opened:
            self._say(opened, "trailer", f"end it with {self.trailer}; nobody can know whether all of it has come")
        return bool(opened)

    def _place(self, name: str) -> str:
        self._seen[name] += 1
        return f"{name}[{self._seen[name]}]" if self._seen[name] > 1 else name

    def _say(self, where: str, rule: str, cure: str) -> None:
        self._found.append(Violation(where, rule, cure, "warning"))


class BatchCounts:
    """Sees the pieces of a file one after the other."""

    def __init__(self) -> None:
        self._found: list[Violation] = []
        self._batch = _Level("BHS", "BTS", "messages in the batch", self._found)
        self._file = _Level("FHS", "FTS", "batches in the file", self._found)

    def see(self, what: str, raw: bytes) -> None:
        """A piece; ``raw`` is looked at in trailers only."""
        batch, file = self._batch, self._file
        if what == "message":
            batch.count += 1
        elif what in (batch.header, file.header, file.trailer):
            file.count += batch.abandon()
        if what == batch.header:
            batch.begin()
        elif what == batch.trailer:
            batch.end(raw)
            file.count += 1
        elif what == file.header:
            file.begin()
        elif what == file.trailer:
            file.end(raw)

    def close(self) -> list[Violation]:
        """What does not agree, each with its place; warnings, for every message was read all the same."""
        self._batch.abandon()
        self._file.abandon()
        return self._found


def count_batches(pieces: Iterable[tuple[str, bytes]]) -> list[Violation]:
    """The same for all pieces of a file at once."""
    counts = BatchCounts()
    for what, raw in pieces:
        counts.see(what, raw)
    return counts.close()
