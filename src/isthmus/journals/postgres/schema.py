"""Migrations: numbered files, each once, in order, under a lock that two nodes starting together take in turn."""

from __future__ import annotations

from importlib.resources import files

from isthmus.core.failure import Rejected
from isthmus.journals.postgres.store import Session


def migrations() -> list[tuple[int, str]]:
    """Number and SQL, in order."""
    found = (files("isthmus.journals.postgres") / "migrations").iterdir()
    return sorted((int(one.name.partition("_")[0]), one.read_text("utf-8")) for one in found if one.name.endswith(".sql"))


async def migrate(session: Session, ring: str) -> None:
    """Bring the schema to this program's version, in one transaction; raises ``Rejected`` where the store is newer or another's."""
    known = migrations()
    newest = known[-1][0]
    await session.run("lock_schema")
    await session.run("make_schema")
    await session.run("make_migration")
    at = await session.value("schema_version") or 0
    if at > newest:
        raise Rejected(
            "journal-newer",
            f"this journal has schema {at}, and this program knows it up to {newest}: run the newer program that has opened it before",
        )
    for number, sql in known:
        if number > at:
            await session.migrate(sql)
            await session.run("note_migration", number)
    await session.run("claim_ring", ring)
    holder = await session.value("ring")
    if holder != ring:
        raise Rejected(
            "journal-other-ring",
            f"this journal was sealed with key ring {holder}, and the one given is {ring}: configure the journal's own ring",
        )
