"""The pruner's work: bodies of finished messages go, history stays."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Final

from isthmus.journals.port import Pruned
from isthmus.journals.postgres.history import History
from isthmus.journals.postgres.store import Session

_WINDOW: Final = 1_000
"""Messages looked at in one query, at least."""


async def prune(session: Session, interface: str, before: datetime, now: datetime, limit: int) -> Pruned:
    await session.run("pruner_alone")
    messages = await _choose(session, interface, before, limit)
    places: defaultdict[int, list[int]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for row in await session.rows("prune_places", messages):
        places[row["shelf"]].append(row["seq"])
        counts[row["noun"]] += 1
    freed = 0
    for shelf, seqs in sorted(places.items()):
        freed += await session.value("prune_bodies", shelf, seqs)
    await session.run("shelves_untidy", list(places))
    await session.run("prune_events", messages)
    await session.run("prune_answers", messages)
    await session.run("prune_pieces", messages)
    history = History(session.seals)
    for seq in messages:
        history.step(seq, seq, "", now, "pruned")
    await history.keep(session)
    return Pruned(counts["message"], counts["event"], counts["delivery"], freed)


async def _choose(session: Session, interface: str, before: datetime, limit: int) -> list[int]:
    """Which messages to prune: those left behind earlier, then on from where the last run ended, in order of arrival.

    The cursor passes what is finished (pruned now) and what is not (spared, and looked at again each time), but nothing that is
    too young. So a run costs what it prunes and spares, not what was pruned before.
    """
    chosen = [row["seq"] for row in await session.rows("prune_spared", interface, before) if row["finished"]][:limit]
    spared: list[int] = []
    start = cursor = await session.value("prune_cursor", interface) or 0
    window, passing = max(limit, _WINDOW), True
    while passing:
        rows = await session.rows("prune_next", interface, before, window, cursor)
        passing = len(rows) == window
        for row in rows:
            if not row["aged"] or (row["finished"] and len(chosen) >= limit):
                passing = False
                break
            (chosen if row["finished"] else spared).append(row["seq"])
            cursor = row["seq"]
    if cursor > start:
        await session.run("move_pruned", interface, cursor)
    await session.run("not_spared", interface, chosen)
    await session.run("spare", interface, spared)
    return chosen
