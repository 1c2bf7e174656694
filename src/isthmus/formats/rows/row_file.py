"""RowFile: how a file of rows is written, and how it is taken apart."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from msgspec import Meta, Struct

from isthmus.core.failure import Rejected


class Trailer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last row, by which a sender says that all of the file is there."""

    mark: str
    """What stands in its first column, and in no other row's."""
    rows: Annotated[int, Meta(ge=0)] = 0
    """Number of its column that tells how many rows there are, from 1; 0: none does."""
    totals: dict[str, Annotated[int, Meta(ge=1)]] = {}
    """By column of the rows, the number of the trailer's column that tells its total."""


class RowFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>.rows]``: for ``split = "rows"``."""

    kind: str
    """What its messages are called, as the interface's contract names it: ``price-list``. The manifest is ``price-list.manifest``."""
    form: Literal["delimited", "json"] = "delimited"
    """delimited: CSV, TSV and the like (RFC 4180). json: one JSON object per line (NDJSON)."""
    delimiter: str = ","
    """One character; ``"\\t"`` for tabs."""
    quoted: bool = True
    """Whether fields may stand in double quotes. Say false where quotes are text like any other (inches)."""
    charset: str = "utf-8"
    """``utf-8`` or a single-byte page, such as ``cp1252``."""
    decimal: Literal[".", ","] = "."
    """What stands before the decimals of a number."""
    header: bool = True
    """Whether the first row names the columns; otherwise ``columns`` does."""
    columns: tuple[str, ...] = ()
    """The names of the columns of a file without a header."""
    rows_per_message: Annotated[int, Meta(ge=1)] = 1
    """Rows that become one message. If one of several is refused, they are handed over one by one, so that the others go on."""
    group_by: str = ""
    """A column: rows that follow each other and have the same value there are one message, however many (an order with its lines), up
    to 10,000. They are taken or refused together. ``rows_per_message`` is not looked at then.
    """
    totals: tuple[str, ...] = ()
    """Columns that are added up, exactly, for the manifest."""
    trailer: Trailer | None = None
    """Without the table there is none."""
    all_or_nothing: bool = False
    """Look through the whole file first; if anything in it would be refused, take none of it."""
    max_row: Annotated[int, Meta(ge=64, le=128 << 10)] = 64 << 10
    """Bytes that a row does not reach; one that does is refused. A quote that is not closed within so many, or before the end of the file, spoils its line only."""

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n':
            raise Rejected("delimiter", 'delimiter must be one ASCII character, such as ";" or "\\t", and no quote')
        if not _is_transparent(self.charset):
            raise Rejected("charset", "charset must be utf-8 or a single-byte page such as cp1252: let the sender convert the file")
        if self.form == "delimited" and self.header == bool(self.columns):
            raise Rejected("columns", "columns are named by the file's header or by the setting columns: set header = false for the latter")
        if self.form == "json" and (self.columns or self.trailer is not None):
            raise Rejected("columns", "lines of JSON have neither columns nor a trailer: leave these settings away")


def _is_transparent(charset: str) -> bool:
    """Whether a delimiter, a quote and a line's end are one byte each, and these bytes mean nothing else."""
    try:
        name = codecs.lookup(charset).name
        if name == "utf-8":
            return True
        every = bytes(range(256)).decode(name, "replace")
        return len(every) == 256 and every[:128] == bytes(range(128)).decode("ascii")  # noqa: PLR2004 - one character a byte
    except (LookupError, ValueError, AttributeError):
        return False
