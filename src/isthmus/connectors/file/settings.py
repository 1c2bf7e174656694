"""Which folder, when a file in it counts as complete, and how large it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from isthmus.core.failure import Rejected
from isthmus.formats.rows.row_file import RowFile


class FileEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[endpoints.<name>] kind = "file"``: a folder that another system reads."""

    folder: Path
    """Where files appear; on one file system, for a file is written beside its place and then renamed."""
    create: bool = False
    """Make the folder when it is missing. Off, because a share that is not mounted would be written past."""
    checksum: bool = False
    """Write ``<name>.sha256`` (as ``sha256sum`` does) before the file itself appears."""
    deduplicates: bool = True
    """Whether the reader recognises a file of the same name and content that comes a second time. Say false where it does not
    and takes files away: then a file that may have been there is not written again by itself; a person decides.
    """
    in_flight: Annotated[int, Meta(ge=1)] = 1
    """Batches that are written at once, each by a thread of its own."""
    calls_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """Batches of files a second; 0: no limit."""


class FileSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources.<name>] kind = "file"``: a folder in which another system leaves files.

    Beside the files, ``done/`` gets what was taken, ``refused/`` what was refused (with the answer beside it), ``rejected/`` what
    was no proper file (with the reason beside it). A file of rows has its manifest beside it, as ``<name>.manifest.json``; it is in
    ``refused/`` as soon as one of its rows is.
    """

    folder: Path
    """Made, with its subfolders, when it is missing."""
    pattern: str = "*"
    """Which names are taken, as a shell pattern. Hidden and temporary names never are."""
    every: Annotated[float, Meta(gt=0)] = 1.0
    """Seconds between two looks."""
    complete: Literal["settled", "done", "sha256"] = "settled"
    """settled: size and time of change have stood still for ``settle`` seconds. done: a file ``<name>.done`` stands beside it.
    sha256: a file ``<name>.sha256`` stands beside it, and its checksum fits.
    """
    settle: Annotated[float, Meta(ge=0)] = 2.0
    """Seconds, for ``complete = "settled"``; longer than the sender ever pauses in the middle of a file."""
    split: Literal["", "hl7", "rows"] = ""
    """hl7: a file holds any number of messages, perhaps as a batch (FHS/BHS) or in MLLP frames; each is handed over by itself.
    rows: it is a table (CSV and the like, or JSON lines), taken apart as the table ``rows`` says. Either is read as a stream.
    """
    rows: RowFile | None = None
    """For ``split = "rows"``: how the file is written and what becomes a message."""
    order: Literal["name", "mtime"] = "name"
    """In which files that are complete at the same look are taken."""
    max_bytes: Annotated[int, Meta(ge=1)] = 64 << 20
    """A larger file goes to ``rejected/`` unread."""
    window: Annotated[int, Meta(ge=1)] = 256
    """Messages that are handed over and not yet answered; of large ones fewer, so that they have 16 MiB together, or just one."""

    def __post_init__(self) -> None:
        if (self.split == "rows") != (self.rows is not None):
            raise Rejected("rows", 'split = "rows" and the table rows belong together: set both or none')
