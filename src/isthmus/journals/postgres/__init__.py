"""The journal in PostgreSQL: for a hospital with several nodes. Needs the extra ``postgres`` (asyncpg)."""

from isthmus.core.failure import Rejected

try:
    from isthmus.journals.postgres.journal import PostgresJournal
except ModuleNotFoundError as missing:
    if missing.name != "asyncpg":
        raise
    raise Rejected(
        "asyncpg-missing", "the journal in PostgreSQL needs asyncpg: pip install 'isthmus[postgres]', or choose [journal] kind = \"sqlite\""
    ) from None

__all__ = ["PostgresJournal"]
