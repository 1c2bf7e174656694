"""Nodes that share the journal: leases by the server's clock, burials, and whose claims go back.

One row for each name. A beat and a burial meet at that row's lock, so that one of them is first: a node that was buried finds no
lease to extend, and one that has just extended its lease is not buried. What the buried were sending is released in the transaction
that buries them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from isthmus.core.failure import Bug, Rejected
from isthmus.journals.nodes import Seen
from isthmus.journals.postgres import outbox
from isthmus.journals.postgres.store import Session


async def join(session: Session, node: str, lease: float) -> None:
    name, incarnation = _parts(node)
    if await session.value("join", name, incarnation, lease) is None:
        raise Rejected(
            "node-taken",
            f"node {name} is running already, or was a moment ago: give this one another name, or wait until the other's lease has run out",
        )


async def beat(session: Session, node: str, lease: float) -> list[str] | None:
    rows = await session.rows("beat", *_parts(node), lease)
    return sorted(f"{row['name']}:{row['incarnation']}" for row in rows) or None


async def bury(session: Session, now: datetime) -> dict[str, int]:
    await session.run("bury")
    return await _release(session, [row["owner"] for row in await session.rows("owners_gone")], now)


async def leave(session: Session, node: str, now: datetime) -> None:
    await session.run("bury_one", *_parts(node))
    await _release(session, [row["owner"] for row in await session.rows("owners_of", node)], now)


async def nodes(session: Session) -> list[Seen]:
    return [Seen(row["node"], row["seconds"]) for row in await session.rows("nodes")]


async def _release(session: Session, owners: Sequence[str], now: datetime) -> dict[str, int]:
    return dict(await outbox.release(session, owners, now)) if owners else {}


def _parts(node: str) -> tuple[str, str]:
    name, _, incarnation = node.rpartition(":")
    if not name or "/" in node:
        raise Bug("node-name", f"a node is called NAME:incarnation, without a slash, and not {node}")
    return name, incarnation
