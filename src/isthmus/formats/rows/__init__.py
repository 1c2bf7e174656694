"""Files of rows: delimited text (CSV, TSV: RFC 4180) and JSON lines, taken apart as a stream, with contracts for columns and a manifest."""

from __future__ import annotations

from isthmus.formats.rows.columns import Column, column
from isthmus.formats.rows.contract import Contract
from isthmus.formats.rows.document import Rows
from isthmus.formats.rows.format import RowsFormat
from isthmus.formats.rows.manifest import Manifest, Refusal, Total
from isthmus.formats.rows.part import MANIFEST
from isthmus.formats.rows.row import Row
from isthmus.formats.rows.row_file import RowFile, Trailer

__all__ = ["MANIFEST", "Column", "Contract", "Manifest", "Refusal", "Row", "RowFile", "Rows", "RowsFormat", "Total", "Trailer", "column"]
