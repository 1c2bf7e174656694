"""Connections as the journal needs them, and migrations: numbered files, each applied once, in one transaction."""

from __future__ import annotations

import os
import sqlite3
from importlib import resources
from pathlib import Path

from isthmus.core.failure import Rejected

CACHE_KIB = 49_152
PAGE_BYTES = 8_192
"""Bodies of one or two kilobytes fit several to a page; measured 5 to 15 % less CPU than with 4,096."""
BUSY_SECONDS = 10
"""How long a connection waits for another's lock; in one process they hardly meet."""
MAX_LOG_BYTES = 64 << 20
"""To this size the write-ahead log is cut back when it starts over."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes: every commit is on the disk (synchronous=FULL) before it returns."""
    fresh = not path.exists()
    if fresh:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the files beside it take over its mode
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=BUSY_SECONDS)
    if fresh:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {MAX_LOG_BYTES}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to this program's schema; raises ``Rejected`` where the file is newer, or no journal."""
    migrations = sorted(resources.files("isthmus.journals.sqlite").joinpath("migrations").iterdir(), key=lambda file: file.name)
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise Rejected(
            "journal-newer",
            f"{path} has schema {version}, this program knows {len(migrations)}: install the release that wrote it, or a later one",
        )
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise Rejected("journal-foreign", f"{path} is a SQLite database, but no journal: name another path in [journal]")
    for number, migration in enumerate(migrations[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{migration.read_text('utf-8')}\nPRAGMA user_version = {number};\nCOMMIT;")
