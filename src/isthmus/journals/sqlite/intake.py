"""The receiver's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isthmus.core.contract import Violation
from isthmus.core.message import Message
from isthmus.journals.port import Accepted, Arrival, Identifier
from isthmus.journals.sealing.chunks import chunks, seal_chunks
from isthmus.journals.sqlite.locating import seqs_of_ids
from isthmus.journals.sqlite.locator import entry, id_key, token_key
from isthmus.journals.sqlite.records import MessageHead, body_aad, open_head, open_violations, seal_head, seal_violations
from isthmus.journals.sqlite.session import Row, Session, micros, place


def receive(session: Session, arrivals: Sequence[Arrival]) -> list[Accepted]:
    """Duplicates are told apart first, so that only what is new is sealed and written."""
    known = {
        id: (seq, interface, head)
        for id, seq, interface, head in session.rows("known_messages", seqs_of_ids(session, [one.message.id for one in arrivals]))
    }
    fresh: dict[str, tuple[int, Arrival]] = {}
    accepted: list[Accepted] = []
    for arrival in arrivals:
        message = arrival.message
        if message.id in known:
            seq, interface, head = known[message.id]
            accepted.append(Accepted(message.id, open_head(session.keyring, message.id, head).ack, duplicate=True))
            _count_duplicate(session, seq, interface, message)
        elif message.id in fresh:
            seq, first = fresh[message.id]
            accepted.append(Accepted(message.id, first.ack, duplicate=True))
            _count_duplicate(session, seq, first.message.interface, message)
        else:
            fresh[message.id] = (session.next(), arrival)
            accepted.append(Accepted(message.id, arrival.ack))
    if fresh:
        _keep(session, list(fresh.values()))
    return accepted


def _count_duplicate(session: Session, seq: int, interface: str, message: Message) -> None:
    session.count("message", interface, "duplicate")
    session.step(seq, seq, message.received_at, "duplicate")


def _keep(session: Session, fresh: list[tuple[int, Arrival]]) -> None:
    keyring = session.keyring
    messages: list[Row] = []
    bodies: list[Row] = []
    waiting: list[Row] = []
    ids: list[bytes] = []
    identifiers: list[bytes] = []
    kinds: dict[str, bytes] = {}
    for seq, arrival in fresh:
        message = arrival.message
        kind = kinds.get(message.kind)
        if kind is None:
            kind = kinds[message.kind] = kind_token(session, message.kind)
        shelf = session.shelf(message.interface)
        correlation_id = None if message.correlation_id == message.id else message.correlation_id
        head = MessageHead(message.kind, message.sender, message.control_id, correlation_id, arrival.ack)
        messages.append(
            (
                seq,
                message.id,
                shelf,
                message.source,
                micros(message.received_at),
                len(message.body),
                arrival.state,
                arrival.reason,
                kind,
                seal_head(keyring, message.id, head),
            )
        )
        where = place(shelf, seq)
        if chunks(len(message.body)):
            bodies.append((where, b""))
            for number, chunk in enumerate(seal_chunks(keyring, message.body, body_aad(message.id))):
                session.run("keep_chunk", where, number, chunk)
        else:
            bodies.append((where, keyring.seal(message.body, body_aad(message.id))))
        if arrival.state == "received":
            waiting.append((shelf, seq))
            session.recent.messages.keep(seq, message, len(message.body))
        ids.append(entry(id_key(message.id), seq))
        identifiers += _entries(session, seq, (*arrival.identifiers, ("control", message.control_id)))
    session.index(ids=ids, identifiers=identifiers)
    session.count_all("message", ((one.message.interface, one.state) for _, one in fresh))
    session.many("keep_message", messages)
    session.many("keep_body", bodies)
    session.many("keep_untranslated", waiting)
    session.many("keep_verdict", [(seq, arrival.state, arrival.reason) for seq, arrival in fresh if arrival.state != "received"])
    session.many("keep_violations", [(seq, seal_violations(keyring, seq, one.violations)) for seq, one in fresh if one.violations])


def kind_token(session: Session, kind: str) -> bytes:
    """Half a token is enough to keep kinds apart, and the index is small."""
    return session.keyring.token("kind", kind)[:8]


def identifier_key(session: Session, value: str) -> bytes:
    return token_key(session.keyring.token("identifier", value))


def keep_identifiers(session: Session, seq: int, identifiers: Iterable[Identifier]) -> None:
    session.index(identifiers=_entries(session, seq, identifiers))


def _entries(session: Session, seq: int, identifiers: Iterable[Identifier]) -> list[bytes]:
    end = entry(b"", seq)
    return [identifier_key(session, value) + end for value in {value for _, value in identifiers if value}]


def violations(session: Session, message: int) -> tuple[Violation, ...]:
    found = session.row("violations", message)
    return open_violations(session.keyring, message, found[0]) if found else ()


def keep_violations(session: Session, message: int, all_of_them: tuple[Violation, ...]) -> None:
    if all_of_them:
        session.run("keep_violations", message, seal_violations(session.keyring, message, all_of_them))
    else:
        session.run("drop_violations", message)
