"""Stage 3: the courier's claims and settlements, and the lifeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from isthmus.core.failure import Bug
from isthmus.core.outcome import Receipt
from isthmus.core.policy import LANES, Lane
from isthmus.journals.port import MOST_BYTES, Claimed, Settlement
from isthmus.journals.postgres.history import History, plain
from isthmus.journals.postgres.locator import Place, id_entry
from isthmus.journals.postgres.rows import Row, Seals, columns
from isthmus.journals.postgres.stages import lock_endpoints
from isthmus.journals.postgres.store import Session
from isthmus.journals.rules import attempt_code, attempt_tag, receipts_of


async def claim(session: Session, endpoint: str, limit: int, now: datetime, *, owner: str, call: UUID, lane: Lane | None) -> list[Claimed]:
    """One statement. Nothing waits for anything: what another courier is taking is skipped."""
    lanes = list(range(len(LANES))) if lane is None else [LANES.index(lane)]
    claimed: list[Claimed] = []
    room = MOST_BYTES
    while len(claimed) < limit:
        rows = await session.rows("claim", endpoint, now, limit - len(claimed), owner, call, lanes, room, not claimed)
        taken = [row for row in rows if row["attempt"] is not None]
        session.places.remember((row["id"], Place(row["seq"], row["endpoint"])) for row in taken)
        claimed += [
            Claimed(
                delivery=session.seals.delivery(row),
                created_at=row["created_at"],
                lane=LANES[row["lane"]],
                attempt=row["attempt"],
                unknown=row["unknown"],
            )
            for row in taken
        ]
        room -= sum(row["size"] for row in taken)
        if len(taken) == len(rows):
            break  # otherwise another courier was quicker with some, and there may be more
    return claimed


async def give_back(session: Session, calls: Sequence[UUID]) -> None:
    """Undo claims whose answer was lost on the way: their deliveries were handed to nobody."""
    history = History(session.seals)
    for row in await session.rows("give_back", list(calls)):
        history.count("delivery", row["subscription"], "sending", -row["count"])
        history.count("delivery", row["subscription"], row["state"], row["count"])
    await history.keep(session)


async def settle(session: Session, settlements: Sequence[Settlement], owner: str) -> None:
    ids = list(dict.fromkeys(one.delivery_id for one in settlements))
    places = await places_of(session, ids)
    for delivery_id in ids:
        if delivery_id not in places:
            raise Bug("unknown-delivery", f"the journal holds no delivery {delivery_id}")
    await lock_endpoints(session, (one.endpoint for one in places.values()))
    in_hand = {row["id"]: row for row in await session.rows("take_sending", owner, [one.seq for one in places.values()])}
    late = [places[one.delivery_id].seq for one in settlements if one.delivery_id not in in_hand]
    twice = len(settlements) > len(ids)
    others = await session.rows("deliveries_by_seq", [one.seq for one in places.values()] if twice else late) if late or twice else []
    known = {row["id"]: row for row in others}
    ending = _Ending(session.seals)
    await ending.look_up_successors(session, in_hand.values())
    for one in settlements:
        row = in_hand.pop(one.delivery_id, None)
        if row is not None:
            ending.settle(row, one)
        else:
            ending.too_late(known[one.delivery_id], one, owner)
    await ending.keep(session)


async def places_of(session: Session, ids: Iterable[str]) -> dict[str, Place]:
    """Of the deliveries that the journal knows; remembered, or looked up."""
    found = {one: session.places.recall(one) for one in ids}
    strange = [one for one, place in found.items() if place is None]
    if strange:
        rows = await session.rows("deliveries_by_id", strange, [id_entry(one).token for one in strange])
        found.update({row["id"]: Place(row["seq"], row["endpoint"]) for row in rows})
    return {one: place for one, place in found.items() if place is not None}


async def release(session: Session, owners: Sequence[str], now: datetime) -> Counter[str]:
    """Owner → claims that were lost with it."""
    await lock_endpoints(session, [row["endpoint"] for row in await session.rows("endpoints_of", owners)])
    lost = await session.rows("take_all_sending", owners)
    ending = _Ending(session.seals)
    for row in lost:
        ending.lost(row, now)
    await ending.keep(session)
    return Counter(row["owner"] for row in lost)


async def receipt(session: Session, delivery_key: str, endpoint: str, found: Receipt, now: datetime) -> bool:
    rows = await session.rows("latest_under_key", *session.seals.key(endpoint, delivery_key))
    for row in rows:
        history = History(session.seals)
        history.receipt(row, found, now)
        await history.keep(session)
    return bool(rows)


class _Ending:
    """What becomes of deliveries that were in hand: gathered for a batch, written in few statements."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals
        self._history = History(seals)
        self._gone: list[Row] = []
        self._superseded: list[Row] = []
        self._back: list[tuple[object, ...]] = []
        self._successors: dict[str, str] = {}

    async def look_up_successors(self, session: Session, rows: Iterable[Row]) -> None:
        messages = {row["message"] for row in rows if row["replaced"]}
        if messages:
            self._successors = {row["supersedes"]: row["id"] for row in await session.rows("successors", list(messages))}

    def settle(self, row: Row, one: Settlement) -> None:
        outcome, at = one.outcome, one.ended_at
        code, detail = attempt_code(outcome)
        message, seq, delivery_id = row["message"], row["seq"], row["id"]
        self._history.count("attempt", row["endpoint"], attempt_tag(outcome))
        seconds = (at - one.started_at).total_seconds()
        self._history.step(message, seq, delivery_id, at, "attempt", code=code, detail=detail, seconds=seconds)
        for found in receipts_of(outcome):
            self._history.receipt(row, found, at)
        if row["replaced"] and one.state != "unknown":
            self._superseded.append(row)
            self._history.move("delivery", row["subscription"], "sending", "superseded")
            self._history.step(message, seq, delivery_id, at, "superseded", detail=self._successors.get(delivery_id, ""))
            return
        self._history.move("delivery", row["subscription"], "sending", one.state)
        if one.state == "delivered":
            self._gone.append(row)
            return
        not_before = one.not_before if one.state != "dead" else None
        self._back.append((seq, one.state, row["attempt"], not_before or at, not_before, plain(one.reason)))
        if one.state == "dead":
            self._history.step(message, seq, delivery_id, at, "dead", code=one.reason)

    def too_late(self, row: Row, one: Settlement, owner: str) -> None:
        """The claim was lost (released, or settled before): no state changes, but history says that it came."""
        code, detail = attempt_code(one.outcome)
        self._history.count("attempt", row["endpoint"], "too-late")
        self._history.step(row["message"], row["seq"], row["id"], one.ended_at, "too-late", code=code, detail=detail, by=owner)

    def lost(self, row: Row, now: datetime) -> None:
        """Its owner is gone and nobody knows how far it came: to be checked at once."""
        self._back.append((row["seq"], "unknown", row["attempt"], now, None, "owner-gone"))
        self._history.count("attempt", row["endpoint"], "lost")
        self._history.move("delivery", row["subscription"], "sending", "unknown")
        self._history.step(row["message"], row["seq"], row["id"], now, "unknown", code="owner-gone", by=row["owner"])

    async def keep(self, session: Session) -> None:
        leaving = [*self._gone, *self._superseded]
        if leaving:
            await session.run("finish", [row["seq"] for row in leaving])
            lines = [(row["endpoint"], row["line"]) for row in leaving if row["line"]]
            if lines:
                await session.run("promote", *columns(lines, 2))
        if self._superseded:
            await session.run("end", *columns([(row["seq"], "superseded", "") for row in self._superseded], 3))
        if self._back:
            await session.run("put_back", *columns(self._back, 6))
        await self._history.keep(session)
