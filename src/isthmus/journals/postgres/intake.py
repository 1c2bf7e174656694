"""Stage 0: the receiver's batches."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.journals.port import Accepted, Arrival
from isthmus.journals.postgres.locator import uuid_of
from isthmus.journals.postgres.rows import columns
from isthmus.journals.postgres.store import Session


async def receive(session: Session, arrivals: Sequence[Arrival]) -> list[Accepted]:
    """One statement and one commit for a batch. A batch that holds an id twice, or meets the same message on another node at the
    same moment, takes one more for these.
    """
    answers: dict[int, Accepted] = {}
    while len(answers) < len(arrivals):
        turn: dict[str, int] = {}
        for place, arrival in enumerate(arrivals):
            if place not in answers:
                turn.setdefault(arrival.message.id, place)
        for message_id, head in await _keep(session, [arrivals[place] for place in turn.values()]):
            place = turn[message_id]
            if head is None:
                answers[place] = Accepted(message_id, arrivals[place].ack)
            else:
                answers[place] = Accepted(message_id, session.seals.acknowledgement(message_id, head), duplicate=True)
    return [answers[place] for place in range(len(arrivals))]


async def _keep(session: Session, arrivals: Sequence[Arrival]) -> Sequence[tuple[str, bytes | None]]:
    messages = [
        (
            one.message.id,
            one.message.interface,
            one.message.source,
            one.message.correlation_id,
            one.message.received_at,
            len(one.message.body),
            one.state,
            one.reason,
            session.seals.kind(one.message.kind),
            session.seals.message_head(one),
            session.seals.body("message", one.message.id, one.message.body),
            uuid_of(one.message.id),
        )
        for one in arrivals
    ]
    identifiers = {
        (place, *session.seals.identifier(value))
        for place, one in enumerate(arrivals, 1)
        for _, value in (*one.identifiers, ("control", one.message.control_id))
        if value
    }
    violations = [
        (place, found.where, found.rule, found.cure, found.severity)
        for place, one in enumerate(arrivals, 1)
        for found in dict.fromkeys(one.violations)
    ]
    rows = await session.rows("receive", *columns(messages, 12), *columns(identifiers, 3), *columns(violations, 5))
    return [(row["id"], row["head"]) for row in rows]
