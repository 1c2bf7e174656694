"""Stage 0: the receiver's batches."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.core.failure import Transient
from isthmus.journals.port import Accepted, Arrival
from isthmus.journals.postgres.locator import uuid_of
from isthmus.journals.postgres.rows import Row, columns
from isthmus.journals.postgres.store import Session
from isthmus.journals.sealing.chunks import chunks


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
        for row in await _keep(session, [arrivals[place] for place in turn.values()]):
            place = turn[row["id"]]
            answers[place] = _answer(session, arrivals[place], row)
    return [answers[place] for place in range(len(arrivals))]


async def receive_large(session: Session, arrival: Arrival) -> Accepted:
    """A message whose body lies in pieces: one at a time is sealed and sent; one transaction."""
    message = arrival.message
    places: list[Row] = []
    if not await session.rows("place_of_message", uuid_of(message.id)):
        places = [(await session.rows("keep_piece", piece))[0] for piece in session.seals.pieces(message.id, message.body)]
    rows = await _keep(session, [arrival])
    if not rows or (places and rows[0]["head"] is not None):
        raise Transient("journal-conflict", "another node has just kept the same message: try again")
    if places:
        await session.run("keep_pieces", rows[0]["seq"], [row["shelf"] for row in places], [row["seq"] for row in places])
    return _answer(session, arrival, rows[0])


def _answer(session: Session, arrival: Arrival, row: Row) -> Accepted:
    message_id, head = arrival.message.id, row["head"]
    if head is None:
        return Accepted(message_id, arrival.ack)
    return Accepted(message_id, session.seals.acknowledgement(message_id, head), duplicate=True)


async def _keep(session: Session, arrivals: Sequence[Arrival]) -> Sequence[Row]:
    """Row by row the new and the known ones; what another node is keeping at this moment is missing."""
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
            None if chunks(len(one.message.body)) else session.seals.body("message", one.message.id, one.message.body),
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
    return await session.rows("receive", *columns(messages, 12), *columns(identifiers, 3), *columns(violations, 5))
