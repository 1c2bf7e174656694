"""Finding by id, by the beginning of an id, by identifier: in memory first, then in the runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge

from isthmus.journals.sqlite.locator import KEY, Beginning, id_key, seqs_in
from isthmus.journals.sqlite.session import Row, Session, listed

IDS, IDENTIFIERS = 0, 1
"""Families of runs."""


def seqs_of_ids(session: Session, ids: Iterable[str]) -> str:
    """Where these may stand, for ``json_each(?)``; the rows decide. Of an id the newest matter, so what is fresh is looked for no further."""
    found: list[int] = []
    others: list[bytes] = []
    for id in ids:
        key = id_key(id)
        if seqs := session.fresh.ids.find(key):
            found += seqs
        else:
            others.append(key)
    if others:
        found += _in_runs(session, IDS, others)
    return listed(dict.fromkeys(found))


def all_seqs_of_id(session: Session, id: str) -> list[int]:
    key = id_key(id)
    return [*session.fresh.ids.find(key), *_in_runs(session, IDS, [key])]


def of_id(session: Session, name: str, id: str) -> Row | None:
    """The newest row of a statement that asks for seq and id."""
    seqs = session.fresh.ids.find(id_key(id)) or _in_runs(session, IDS, [id_key(id)])
    return next((row for seq in sorted(seqs, reverse=True) if (row := session.row(name, seq, id))), None)


def beginning(session: Session, id: str) -> list[int]:
    """Where ids may stand that begin like this."""
    if len(id) >= 2 * KEY:
        return all_seqs_of_id(session, id)
    wanted = Beginning(id)
    first, last = wanted.range
    found = session.fresh.ids.beginning(wanted)
    for (entries,) in session.rows_named("pages_between", {"family": IDS, "first": first, "last": last}):
        found += wanted.seqs_in(entries)
    return found


def newest(session: Session, key: bytes, before: int) -> Iterator[int]:
    """Where an identifier stands, newest first; read as far as they are asked for."""
    few = set(session.fresh.identifiers.find(key))
    few.update(_in_runs(session, IDENTIFIERS, [key]))
    many = (seq for (seq,) in session.each("common", key, before))
    last = 0
    for seq in merge(sorted((seq for seq in few if seq < before), reverse=True), many, reverse=True):
        if seq != last:
            yield seq
        last = seq


def _in_runs(session: Session, family: int, keys: list[bytes]) -> list[int]:
    sieve = session.sieves[family]
    runs = sieve.runs if session.writes else session.rows("whole_runs", family)
    places = [(place, key) for key in keys for place in sieve.places(key, runs)]
    if not places:
        return []
    pages = session.rows("pages", listed([place for place, _ in places]))
    return [seq for number, entries in pages for seq in seqs_in(entries, places[number][1])]
