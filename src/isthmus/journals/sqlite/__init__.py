"""The journal in one SQLite file: embedded, no server, durable to the last acknowledged message.

One thread writes (``writer``), with group commit; archive queries read on connections of their own (``readers``); the log is
checkpointed aside from commits (``checkpointer``). Everything that can carry an identifier is sealed (``records``).
"""

from isthmus.journals.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
