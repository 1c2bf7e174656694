"""What ``isthmus.toml`` says, typed: where things are and how large they may be; never what an interface means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from isthmus.connectors.secret import Secret


class SiteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[site]``: who we are."""

    name: str = ""
    """The site's name; the folder's name unless given."""
    data: Path = Path()
    """Folder of everything that the program writes (journal, key ring, drop folders), relative to the site's folder; that folder itself
    unless given."""


class SqliteJournal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[journal] kind = "sqlite"``: embedded, one process."""

    path: Path = Path("var/journal.sqlite")
    """The database file, relative to the data folder."""
    keyring: Path = Path("var/keyring.json")
    """The key ring that seals bodies; created on the first run, readable by its owner only. Without it the journal is unreadable."""


class PostgresJournal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[journal] kind = "postgres"``: a server, several nodes."""

    dsn: Secret
    """Where the database is: ``postgresql://user:password@host/database``. The journal lies in its schema ``isthmus``."""
    connections: Annotated[int, Meta(ge=2)] = 10
    """Connections to the database that this process holds at most."""
    keyring: Path = Path("var/keyring.json")
    """The key ring that seals bodies; every node needs the same one."""


class MemoryJournal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[journal] kind = "memory"``: for tries and tests; everything is gone when the process ends."""


JournalSettings = SqliteJournal | PostgresJournal | MemoryJournal


class Placed(Struct, frozen=True, kw_only=True):
    """One configured source or endpoint: its name, its kind and the settings of that kind."""

    name: str
    kind: str
    settings: Struct


class Config(Struct, frozen=True, kw_only=True):
    """The whole configuration of a site, checked."""

    folder: Path
    """The site's folder."""
    data: Path
    """Absolute path of the folder in which the site keeps what it writes."""
    name: str
    journal: JournalSettings
    sources: dict[str, Placed]
    endpoints: dict[str, Placed]
