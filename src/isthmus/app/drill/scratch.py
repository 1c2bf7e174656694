"""A scratch database for a drill: made on a server that was named for it, dropped when the drill is over. Never a site's own."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from isthmus.app.config import JournalSettings, PostgresJournal
from isthmus.core import Rejected

NAME = "isthmus_drill_"
"""What a scratch database's name begins with."""


@asynccontextmanager
async def scratch_database(dsn: str) -> AsyncIterator[JournalSettings | None]:
    """The journal's settings; None (SQLite) without a DSN."""
    if not dsn:
        yield None
        return
    import asyncpg  # noqa: PLC0415 - the extra `postgres`

    parts = urlsplit(dsn)
    if parts.scheme not in ("postgresql", "postgres"):
        raise Rejected("dsn", "write the DSN as postgresql://user@host/database")
    name = NAME + secrets.token_hex(6)
    server = await asyncpg.connect(dsn)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            with tempfile.TemporaryDirectory(prefix="isthmus-drill-") as folder:
                yield PostgresJournal(dsn=urlunsplit(parts._replace(path=f"/{name}")), keyring=Path(folder) / "keyring.json")
        finally:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()
