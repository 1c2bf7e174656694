"""What people do: redeliver, abandon, reprocess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from isthmus.core.failure import Bug, Transient
from isthmus.journals.port import Planned, Translated
from isthmus.journals.postgres.history import History
from isthmus.journals.postgres.locator import uuid_of
from isthmus.journals.postgres.outbox import places_of
from isthmus.journals.postgres.replacement import Replacement
from isthmus.journals.postgres.rows import Row, columns
from isthmus.journals.postgres.stages import events_by_id, keep_answers, keep_deliveries, keep_events, lock_endpoints
from isthmus.journals.postgres.store import Session
from isthmus.journals.rules import REDELIVERABLE, Act, same_event


async def redeliver(session: Session, delivery_ids: Sequence[str], act: Act) -> list[str]:
    await session.run("with_pruner")
    again = [row for row in await _locked(session, delivery_ids) if row["state"] in REDELIVERABLE and row["size"] is not None]
    if again:
        seqs = [row["seq"] for row in again]
        lines = {row["seq"]: session.seals.line(session.seals.ordering_key(row)) for row in again}
        await session.run("finish", seqs)
        await session.run("not_ended", seqs)
        rows = [
            (
                row["seq"],
                row["message"],
                row["endpoint"],
                row["subscription"],
                lines[row["seq"]],
                row["rank"],
                row["lane"],
                row["size"],
                row["attempts"],
            )
            for row in again
        ]
        await session.run("due_again", *columns(rows, 9), act.at)
        await lead(session, ((row["endpoint"], lines[row["seq"]]) for row in again))
        history = History(session.seals)
        for row in again:
            history.move("delivery", row["subscription"], row["state"], "due")
            history.step(row["message"], row["seq"], row["id"], act.at, "redelivered", detail=act.why, by=act.by)
        await history.keep(session)
    return [row["id"] for row in again]


async def abandon(session: Session, delivery_ids: Sequence[str], act: Act) -> list[str]:
    dead = [row for row in await _locked(session, delivery_ids) if row["state"] == "dead"]
    if dead:
        await session.run("finish", [row["seq"] for row in dead])
        await session.run("end", *columns([(row["seq"], "abandoned", row["reason"]) for row in dead], 3))
        await lead(session, ((row["endpoint"], row["line"]) for row in dead))
        history = History(session.seals)
        for row in dead:
            history.move("delivery", row["subscription"], "dead", "abandoned")
            history.step(row["message"], row["seq"], row["id"], act.at, "abandoned", detail=act.why, by=act.by)
        await history.keep(session)
    return [row["id"] for row in dead]


async def _locked(session: Session, delivery_ids: Sequence[str]) -> list[Row]:
    """The known ones, in the order asked for; their states stay what they are until the commit, but for what a courier claims."""
    ids = list(dict.fromkeys(delivery_ids))
    places = await places_of(session, ids)
    await lock_endpoints(session, [one.endpoint for one in places.values()])
    found = {row["id"]: row for row in await session.rows("states", [one.seq for one in places.values()])}
    return [found[one] for one in ids if one in found]


async def lead(session: Session, lines: Iterable[tuple[str, bytes]]) -> None:
    """Let the right delivery of each of these lines (endpoint, token) go first."""
    ordered = [one for one in lines if one[1]]
    if ordered:
        await session.run("lock_leads", *columns(ordered, 2))
        await session.run("step_aside", *columns(ordered, 2))
        await session.run("promote", *columns(ordered, 2))


async def reprocess(session: Session, message_id: str, result: Translated, planned: dict[str, Sequence[Planned]], act: Act) -> list[str]:
    await session.run("with_pruner")
    result = structs.replace(result, message_id=message_id)
    found = await session.rows("message_state", uuid_of(message_id))
    if not found:
        raise Bug("unknown-message", f"the journal holds no message {message_id}")
    message, interface = found[0]["seq"], found[0]["interface"]
    endpoints = {row["endpoint"] for row in await session.rows("deliveries_of", message)}
    endpoints |= {one.endpoint for plans in planned.values() for plan in plans for one in plan.deliveries}
    await lock_endpoints(session, endpoints)
    await session.run("order_events")
    before = await session.rows("deliveries_of", message)
    if not endpoints.issuperset(row["endpoint"] for row in before):
        raise Transient("journal-conflict", "another node has just planned deliveries of this message to one more endpoint: try again")
    await session.run("lock_due", [row["seq"] for row in before])
    history = History(session.seals)
    await _mean(session, history, message, result, act)
    events = await events_by_id(session, [plan.event_id for plans in planned.values() for plan in plans])
    replacement = Replacement(session.seals, history, act, await session.rows("deliveries_of", message))
    for subscription, plans in planned.items():
        for plan in plans:
            if plan.event_id not in events:
                raise Bug("unknown-event", f"the journal holds no event {plan.event_id}")
            for delivery in plan.deliveries:
                replacement.place(subscription, delivery)
        await keep_answers(session, subscription, plans, events)
    replacement.supersede_the_rest()
    for subscription, made in replacement.fresh.items():
        await keep_deliveries(session, history, subscription, [(message, one, rank) for one, rank in made], act.at)
    await session.run("finish", [row["seq"] for row in replacement.superseded])
    await session.run("end", *columns([(row["seq"], "superseded", "") for row in replacement.superseded], 3))
    await session.run("replace_in_hand", [row["seq"] for row in replacement.in_hand])
    await lead(session, replacement.lines)
    await session.run("spare_passed", interface, message)
    await history.keep(session)
    return replacement.ids


async def _mean(session: Session, history: History, message: int, result: Translated, act: Act) -> None:
    """The message's new state, events, violations and identifiers."""
    before = (await session.rows("message_state", uuid_of(result.message_id)))[0]  # read again, now that nobody else can change it
    await session.run("set_translated", message)
    if result.state != "translated":
        await session.run("keep_troubles", [message], [result.state], [result.reason])
    history.move("message", before["interface"], before["state"], result.state)
    await session.run("forget_violations", message)
    history.violations(message, result.violations)
    history.identifiers(message, result.identifiers)
    history.step(message, message, result.message_id, act.at, "reprocessed", code=result.reason, detail=act.why, by=act.by)
    old = {row["id"]: (row, session.seals.envelope(row)) for row in await session.rows("events_of", message)}
    new = {one.id: one for one in result.events}
    gone = [row for event_id, (row, kept) in old.items() if event_id not in new or not same_event(new[event_id], kept)]
    await session.run("pass_superseded", [row["seq"] for row in gone])
    await session.run("supersede_events", [row["seq"] for row in gone])
    for row in gone:
        history.move("event", row["type"], "kept", "superseded")
    replaced = {row["id"] for row in gone}
    fresh = [(message, one) for event_id, one in new.items() if event_id not in old or event_id in replaced]
    await keep_events(session, history, fresh, act.at, fed=False)
