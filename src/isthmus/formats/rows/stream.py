"""Stream: a file of rows taken apart while it is read. Bytes in, parts out; memory is that of one piece, not of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec
from msgspec import Struct

from isthmus.core.contract import Violation
from isthmus.core.failure import Invalid
from isthmus.formats.rows.cutter import RawRow
from isthmus.formats.rows.declared import Declared, disagreements
from isthmus.formats.rows.manifest import Accounts, Manifest, add
from isthmus.formats.rows.part import MANIFEST, Label, Part, cells, dialect_of
from isthmus.formats.rows.row import Row, read_number
from isthmus.formats.rows.row_file import RowFile

_MOST_IN_GROUP = 10_000
_MOST_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


class Piece(Struct, frozen=True):
    """One message to be handed over."""

    part: Part
    sums: tuple[Decimal, ...]
    """Of its rows, the totals of the declared columns."""

    @property
    def body(self) -> bytes:
        return self.part.body


class Stream:
    """One file. ``digest``: its SHA-256, which has been taken before."""

    def __init__(self, file: RowFile, digest: str) -> None:
        self._file = file
        self._digest = digest
        self._dialect = dialect_of(file)
        self._cutter = self._dialect.cutter()
        self._head = b""
        self._columns: tuple[str, ...] = ()
        self._awaits_header = file.form == "delimited" and file.header
        if file.columns:
            self._name(file.delimiter.join(_quoted(name, file.delimiter) for name in file.columns).encode(file.charset) + b"\n")
        self._rows: list[RawRow] = []
        """Of the part that is being made."""
        self._group = ""
        self._held = 0
        self._sums = dict.fromkeys(file.totals, Decimal(0))
        self._first = 1
        """Number of the first row of the part that is being made."""
        self._looks = bool(file.totals or file.group_by)
        self._ended = False
        self._began = False
        self.size = 0
        self.rows = 0
        self.lines = (0, 0)
        """Of the first and the last row."""
        self.totals = dict.fromkeys(file.totals, Decimal(0))
        """Of all rows so far."""
        self.declared: Declared | None = None
        """What the trailer says."""
        self.flaws: list[Violation] = []

    def feed(self, data: bytes) -> list[Piece]:
        """The parts that these bytes complete; raises ``Invalid`` where the file is none that can be read."""
        self.size += len(data)
        if not self._began and data:
            self._began = True
            if data.startswith(_WIDE):
                raise Invalid("charset", f"the file is in UTF-16: send it in {self._file.charset}, as agreed")
            data = data.removeprefix(_BOM)
        return list(self._take(self._cutter.feed(data)))

    def close(self) -> list[Piece]:
        """The rest. From now on ``flaws`` are all."""
        pieces = [*self._take(self._cutter.close()), *self._cut()]
        if self._awaits_header:
            self.flaws.append(Violation("header", "header", "begin the file with a row that names its columns"))
        if self._file.trailer is not None and self.declared is None:
            self.flaws.append(Violation("trailer", "trailer", "end the file with its trailer; nobody can know whether all of it has come"))
        return pieces

    def header(self) -> Piece:
        """A part without a row, for whoever wants to know whether the header will do."""
        return self._piece(0, 1, b"", 0)

    @property
    def named(self) -> bool:
        """The header was read, so that :meth:`header` tells it."""
        return bool(self._head)

    def all_flaws(self, sidecar: Declared | None = None) -> list[Violation]:
        """What is wrong with the file as a whole, once it is closed."""
        told = list(self.flaws)
        for name, declared in (("trailer", self.declared), ("sidecar", sidecar)):
            if declared is not None:
                told += disagreements(name, declared, self.rows, self.totals)
        return told

    def manifest(self, accounts: Accounts, sidecar: Declared | None = None) -> Piece:
        """The last message of the file. ``sidecar``: what a file beside it declares."""
        manifest: Manifest = accounts.manifest(
            kind=self._file.kind,
            file=self._digest,
            size=self.size,
            rows=self.rows,
            lines=self.lines,
            totals=self.totals,
            flaws=self.all_flaws(sidecar),
        )
        raw = msgspec.json.encode(manifest) + b"\n"
        label = Label(kind=self._file.kind + MANIFEST, file=self._digest, row=0, rows=0, line=0)
        return Piece(Part(label, b"", raw), ())

    # ---- rows -> parts ----------------------------------------------------------------------------------------------------

    def _take(self, rows: Sequence[RawRow]) -> Iterator[Piece]:
        file = self._file
        for one in rows:
            if self._awaits_header:
                self._awaits_header = False
                self._name(one.bare)
                continue
            group = ""
            values: tuple[Decimal, ...] = ()
            if self._is_trailer(one):
                continue
            if self._looks:
                row = Row(one.bare, 0, one.line, self._columns, self._dialect)
                group = row[file.group_by] if file.group_by else ""
                values = tuple(read_number(row[name], file.decimal) or Decimal(0) for name in file.totals)
            if self._ended:
                self.flaws.append(Violation(f"line {one.line}", "trailer", "end the file with its trailer; rows follow it"))
                self._ended = False
            most = _MOST_IN_GROUP if file.group_by else file.rows_per_message
            if self._rows and (len(self._rows) >= most or group != self._group or self._held + len(one.raw) > _MOST_BYTES):
                yield from self._cut()
            self._group = group
            self._rows.append(one)
            self._held += len(one.raw)
            self.rows += 1
            self.lines = (self.lines[0] or one.line, one.line)
            for name, value in zip(file.totals, values, strict=True):
                self._sums[name] = add(self._sums[name], value)
                self.totals[name] = add(self.totals[name], value)

    def _cut(self) -> Iterator[Piece]:
        if self._rows:
            rows, self._rows = self._rows, []
            line = rows[0].line
            yield self._piece(self._first, line, b"".join((rows[0].bare, *(one.raw for one in rows[1:]))), len(rows))
            self._first += len(rows)
            self._held = 0
            self._sums = dict.fromkeys(self._sums, Decimal(0))

    def _piece(self, row: int, line: int, raw: bytes, rows: int) -> Piece:
        label = Label(kind=self._file.kind, file=self._digest, row=row, rows=rows, line=line, head=len(self._head), dialect=self._dialect)
        return Piece(Part(label, self._head, raw), tuple(self._sums.values()))

    def _name(self, head: bytes) -> None:
        self._head = head if head.endswith((b"\n", b"\r")) else head + b"\n"
        try:
            self._columns = tuple(name.strip() for name in cells(self._head, self._dialect))
        except Invalid:
            self._columns = ()  # the contract says what is wrong with it

    def _is_trailer(self, one: RawRow) -> bool:
        trailer = self._file.trailer
        if trailer is None or trailer.mark.encode(self._file.charset) not in one.raw:
            return False
        try:
            found = [cell.strip() for cell in cells(one.bare, self._dialect)]
        except Invalid:
            return False
        if found[0] != trailer.mark:
            return False
        self._ended = True
        self.declared = Declared.of_trailer(trailer, found, self._file.decimal)
        return True


def singles(piece: Piece, file: RowFile) -> list[Piece]:
    """Each row of a part as a part of its own."""
    label, dialect = piece.part.label, piece.part.label.dialect
    cutter = dialect.cutter(label.line)
    columns = tuple(name.strip() for name in cells(piece.part.head, dialect)) if piece.part.head else ()
    found: list[Piece] = []
    for index, one in enumerate((*cutter.feed(piece.part.raw), *cutter.close())):
        row = Row(one.bare, 0, one.line, columns, dialect)
        alone = msgspec.structs.replace(label, row=label.row + index, rows=1, line=one.line)
        sums = tuple(read_number(row[name], file.decimal) or Decimal(0) for name in file.totals)
        found.append(Piece(Part(alone, piece.part.head, one.bare), sums))
    return found


def _quoted(name: str, delimiter: str) -> str:
    return '"' + name.replace('"', '""') + '"' if delimiter in name or '"' in name else name
