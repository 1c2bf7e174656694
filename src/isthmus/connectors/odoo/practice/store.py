"""Store: records and external ids in memory, changed in transactions that end whole or not at all; kept in a file if wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

Row = dict[str, Any]
XML_IDS = "ir.model.data"
"""Rows of this table: module_name, model, res_id, noupdate; their ids are strings, the external ids themselves."""


class Store:
    """Each committed transaction is one line of the file: the rows that it changed."""

    def __init__(self, path: Path | None = None) -> None:
        self._tables: dict[str, dict[int, Row]] = defaultdict(dict)
        self._xml_ids: dict[str, Row] = {}
        self._last: dict[str, int] = defaultdict(int)
        self._before: dict[tuple[str, int | str], Row | None] | None = None
        self._path = path
        self._file: IO[bytes] | None = None
        self._children: dict[tuple[str, str], dict[int, set[int]]] = {}

    def open(self) -> None:
        """Read what the file holds; whatever a kill cut off in the middle was never answered."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        if self._path.exists():
            for line in self._path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                for model, key, row in msgspec.json.decode(line):
                    self._put(model, key, row)
                whole += len(line)
            with self._path.open("r+b") as file:
                file.truncate(whole)
        self._file = self._path.open("ab")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are kept or, when anything is raised, none."""
        self._before = {}
        try:
            yield
        except BaseException:
            self._undo(self._before)
            self._before = None
            raise
        changed, self._before = self._before, None
        if changed and self._file is not None:
            rows = [(model, key, self._get(model, key)) for model, key in changed]
            self._file.write(msgspec.json.encode(rows) + b"\n")
            self._file.flush()

    @contextmanager
    def savepoint(self) -> Iterator[Callable[[], None]]:
        """Like a transaction within one; calling what it gives undoes it without an error."""
        outer, self._before = self._before, {}
        try:
            yield lambda: self._undo(self._before or {})
        except BaseException:
            self._undo(self._before)
            self._before = outer
            raise
        inner, self._before = self._before, outer
        for key, row in inner.items():
            if outer is not None:
                outer.setdefault(key, row)

    def index(self, model: str, field: str) -> None:
        """Find rows by this many2one fast."""
        self._children[model, field] = defaultdict(set)

    # ---- records

    def new_id(self, model: str) -> int:
        self._last[model] += 1
        return self._last[model]

    def get(self, model: str, record: int) -> Row | None:
        return self._tables[model].get(record)

    def ids(self, model: str) -> list[int]:
        return sorted(self._tables[model])

    def children(self, model: str, field: str, parents: list[int]) -> list[int] | None:
        """Ids of the rows whose many2one is one of ``parents``; None where there is no such index."""
        index = self._children.get((model, field))
        return None if index is None else sorted(child for parent in parents for child in index.get(parent, ()))

    def put(self, model: str, record: int, row: Row | None) -> None:
        self._note(model, record)
        self._put(model, record, row)

    # ---- external ids

    def xml_id(self, name: str) -> Row | None:
        return self._xml_ids.get(name)

    def xml_ids_of(self, model: str, record: int) -> list[str]:
        return [name for name, row in self._xml_ids.items() if row["model"] == model and row["res_id"] == record]

    def put_xml_id(self, name: str, row: Row | None) -> None:
        self._note(XML_IDS, name)
        self._put(XML_IDS, name, row)

    # ---- inside

    def _get(self, model: str, key: int | str) -> Row | None:
        return self._xml_ids.get(str(key)) if model == XML_IDS else self._tables[model].get(int(key))

    def _note(self, model: str, key: int | str) -> None:
        if self._before is None:
            raise RuntimeError("a change outside a transaction")
        if (model, key) not in self._before:
            row = self._get(model, key)
            self._before[model, key] = None if row is None else dict(row)

    def _put(self, model: str, key: int | str, row: Row | None) -> None:
        if model == XML_IDS:
            _place(self._xml_ids, str(key), row)
            return
        record = int(key)
        old = self._tables[model].get(record)
        for (indexed, field), index in self._children.items():
            if indexed == model:
                if old is not None and old.get(field):
                    index[old[field]].discard(record)
                if row is not None and row.get(field):
                    index[row[field]].add(record)
        _place(self._tables[model], record, row)
        self._last[model] = max(self._last[model], record)

    def _undo(self, before: dict[tuple[str, int | str], Row | None]) -> None:
        for (model, key), row in before.items():
            self._put(model, key, row)


def _place(table: dict[Any, Row], key: Any, row: Row | None) -> None:
    if row is None:
        table.pop(key, None)
    else:
        table[key] = row
