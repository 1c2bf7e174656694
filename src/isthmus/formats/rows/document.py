"""Rows: one message out of a file of rows, read lazily; or the manifest at its end."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from isthmus.core.failure import Invalid
from isthmus.formats.rows.manifest import Manifest
from isthmus.formats.rows.part import MANIFEST, cells, read_part
from isthmus.formats.rows.row import Row


class Rows:
    """``for row in rows``: the rows. ``rows.manifest``: what came of the whole file, in the message of kind ``<kind>.manifest``."""

    __slots__ = ("_manifest", "_rows", "columns", "flaw", "part")

    def __init__(self, body: bytes) -> None:
        self.part = read_part(body)
        self.columns: tuple[str, ...] = ()
        """As the header names them."""
        self.flaw: Invalid | None = None
        """Why the header cannot be read."""
        self._rows: tuple[Row, ...] | None = None
        self._manifest: Manifest | None = None
        if self.part.head:
            try:
                self.columns = tuple(name.strip() for name in cells(self.part.head, self.part.label.dialect))
            except Invalid as flaw:
                self.flaw = flaw

    @property
    def kind(self) -> str:
        return self.part.label.kind

    @property
    def file(self) -> str:
        """SHA-256 of the file of which it is a part."""
        return self.part.label.file

    @property
    def is_manifest(self) -> bool:
        return self.kind.endswith(MANIFEST)

    @property
    def manifest(self) -> Manifest:
        """Raises ``Invalid`` where this is no manifest."""
        if self._manifest is None:
            try:
                self._manifest = msgspec.json.decode(self.part.raw, type=Manifest)
            except msgspec.MsgspecError:
                raise Invalid("no-manifest", "this message holds rows, no manifest: read it under its own kind") from None
        return self._manifest

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """In the order of the file."""
        if self._rows is None:
            label, dialect = self.part.label, self.part.label.dialect
            if self.is_manifest or not label.rows:
                self._rows = ()
            elif label.rows == 1:
                self._rows = (Row(self.part.raw, label.row, label.line, self.columns, dialect),)
            else:
                cutter = dialect.cutter(label.line)
                found = (*cutter.feed(self.part.raw), *cutter.close())
                self._rows = tuple(Row(one.bare, label.row + index, one.line, self.columns, dialect) for index, one in enumerate(found))
        return self._rows

    def __repr__(self) -> str:
        return f"<Rows {self.kind}, {self.part.label.rows} from row {self.part.label.row}>"
