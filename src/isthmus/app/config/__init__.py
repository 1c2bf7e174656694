"""Configuration: ``isthmus.toml``, the environment over it, secrets, and every mistake in them at once."""

from isthmus.app.config.layers import FILE
from isthmus.app.config.load import Loaded, Misconfigured, journal_config, load_config, read_config
from isthmus.app.config.model import Config, JournalSettings, MemoryJournal, Placed, PostgresJournal, SqliteJournal

__all__ = [
    "FILE", "Config", "JournalSettings", "Loaded", "MemoryJournal", "Misconfigured", "Placed", "PostgresJournal", "SqliteJournal",
    "journal_config", "load_config", "read_config",
]  # fmt: skip
