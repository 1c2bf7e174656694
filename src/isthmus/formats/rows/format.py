"""Format: rows as the engine knows them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from isthmus.core.contract import Header, Verdict, Violation
from isthmus.formats.rows.document import Rows
from isthmus.formats.rows.part import read_label


class RowsFormat:
    """Satisfies ``core.contract.Format[Rows]``. ``identifiers``: by kind of business identifier, the column that holds it."""

    __slots__ = ("_identifiers",)

    def __init__(self, identifiers: Mapping[str, str] | None = None) -> None:
        self._identifiers = dict(identifiers or {})

    @property
    def name(self) -> str:
        return "rows"

    def header(self, body: bytes) -> Header:
        """Kind, and as control id the beginning of the file's digest with the number of the first row."""
        label, _ = read_label(body)
        return Header(kind=label.kind, control_id=f"{label.file[:16]}/{label.row or 'manifest'}")

    def open(self, body: bytes) -> Rows:
        return Rows(body)

    def identifiers(self, document: Rows) -> tuple[tuple[str, str], ...]:
        """The file's digest, by which all of its messages are found, and what the contract names."""
        found = {("file", document.file): None}
        for row in document.rows:
            for kind, name in self._identifiers.items():
                if value := row[name]:
                    found[kind, value] = None
        return tuple(found)

    def acknowledge(self, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
        """``{"status": "invalid", "id": …, "at": …, "violations": […]}``: for the source, which makes the manifest of it."""
        del body
        return msgspec.json.encode({"status": verdict, "id": reply_id, "at": at, "violations": violations})
