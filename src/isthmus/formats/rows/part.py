"""Part: one message out of a file of rows. It says of which file and which rows it is, so equal rows of one file are not the same message.

    {"kind": "price-list", "file": "<SHA-256>", "row": 17, "rows": 1, "line": 18, "head": 15}⏎      what we say about it
    sku;name;price⏎                                                                                  the file's own header row
    4711;"Gloves; nitrile";12,50⏎                                                                    the rows, byte for byte

The same file taken again gives the same bytes, whatever it is called, so all of its messages are known as duplicates.
"""

from __future__ import annotations

import csv
from typing import Literal

import msgspec
from msgspec import Struct

from isthmus.core.failure import Invalid
from isthmus.formats.rows.cutter import Cutter
from isthmus.formats.rows.row_file import RowFile

MANIFEST = ".manifest"
"""What the kind of a manifest ends in."""


class Dialect(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the rows are written."""

    form: Literal["delimited", "json"] = "delimited"
    delimiter: str = ","
    quoted: bool = True
    charset: str = "utf-8"
    decimal: Literal[".", ","] = "."
    max_row: int = 64 << 10

    def cutter(self, line: int = 1) -> Cutter:
        return Cutter(delimiter=self.delimiter.encode(), quoted=self.quoted, max_row=self.max_row, line=line)


class Label(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a part."""

    kind: str
    file: str
    """SHA-256 of the file, in hexadecimal digits."""
    row: int
    """Number of its first row in the file, from 1, the header not counted; 0 in a manifest."""
    rows: int
    """How many it holds."""
    line: int
    """Of the file, in which its rows begin, from 1."""
    head: int = 0
    """Bytes of the header row."""
    dialect: Dialect = Dialect()


class Part(Struct, frozen=True):
    label: Label
    head: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        """As a message's body."""
        return b"%b\n%b%b" % (_encode(self.label), self.head, self.raw)


_encode = msgspec.json.Encoder().encode
_label = msgspec.json.Decoder(Label).decode
_LONGEST = 4096  # bytes of a label: what has none is told so without reading far


def read_label(body: bytes) -> tuple[Label, int]:
    """The label, and where what follows it begins; raises ``Invalid`` (``no-label``)."""
    end = body.find(b"\n", 0, _LONGEST)
    try:
        return _label(body[: max(end, 0)]), end + 1
    except msgspec.MsgspecError:
        raise Invalid("no-label", 'this is no part of a file of rows: let a source with split = "rows" take the file apart') from None


def read_part(body: bytes) -> Part:
    """Raises ``Invalid``."""
    label, begin = read_label(body)
    return Part(label, body[begin : begin + label.head], body[begin + label.head :])


def dialect_of(file: RowFile) -> Dialect:
    return Dialect(
        form=file.form,
        delimiter=file.delimiter,
        quoted=file.quoted and file.form == "delimited",
        charset=file.charset,
        decimal=file.decimal,
        max_row=file.max_row,
    )


def cells(raw: bytes, dialect: Dialect) -> list[str]:
    """The fields of one delimited row; raises ``Invalid`` (``charset``, ``quoting``), without a place."""
    try:
        text = raw.decode(dialect.charset).strip("\r\n")
    except UnicodeDecodeError:
        raise Invalid("charset", f"send text in {dialect.charset}, as agreed; this row is not") from None
    if not dialect.quoted or '"' not in text:
        return text.split(dialect.delimiter)
    try:
        return next(csv.reader((text,), delimiter=dialect.delimiter, strict=True))
    except (csv.Error, StopIteration):
        raise Invalid(
            "quoting", 'close each quote, double those inside a quoted field, and write nothing after its end: "a ""b"" c"'
        ) from None
