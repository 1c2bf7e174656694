"""What a drill says to a site: messages that this site takes, each with an id of its own.

The practice hospital's stream is used where the site takes any of it. For other sites their own fixtures are said again and again,
under fresh ids. Every message is first shown to the receiver's own triage, which is pure: so it is known beforehand under which id
the journal must hold it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from isthmus.app.messages_file import messages_in
from isthmus.app.practice.speech import Utterance
from isthmus.app.practice.stay import Stay
from isthmus.core import Invalid, Site
from isthmus.engine.triage import Triage, formats
from isthmus.formats.hl7v2 import HL7V2, Hl7

START = datetime(2026, 3, 2, 7, tzinfo=UTC)
_PATIENTS = 16
"""Who lie there at a time."""
_TRIED = 400
"""Messages of the practice hospital after which a site that took none is taken for another kind of site."""


class Saying(Struct, frozen=True, kw_only=True):
    """One message that is to be said."""

    source: str
    about: str
    """What keeps its order: messages about the same go over one connection."""
    body: bytes
    message_id: str
    """Under which the journal must hold it."""
    control_id: str


def sayings(site: Site, folder: Path, sources: AbstractSet[str], seed: str) -> Iterator[Saying]:
    """Messages without end; none where the site takes neither the practice hospital's messages nor its own fixtures."""
    reader = _Reader(site, sources)

    def taken() -> Iterator[Saying]:
        return (one for utterance in _hurried(seed) if (one := reader.read(utterance.body, utterance.about)) is not None)

    any_taken = any(reader.read(one.body, one.about) for one in itertools.islice(_hurried(seed), _TRIED))
    return taken() if any_taken else reader.fixtures(folder)


def _hurried(seed: str) -> Iterator[Utterance]:
    """The practice hospital's stays, told in a hurry: few patients at a time, each with much to say, so that order matters."""
    rng = Random(f"{seed}/stays")  # noqa: S311 - repeatable, and guards nothing
    stays = (Stay(index=index, seed=seed, arrived=START).utterances() for index in itertools.count(1))
    present = list(itertools.islice(stays, _PATIENTS))
    while True:
        place = rng.randrange(_PATIENTS)
        utterance = next(present[place], None)
        if utterance is None:
            present[place] = next(stays)
        else:
            yield utterance


class _Reader:
    def __init__(self, site: Site, sources: AbstractSet[str]) -> None:
        self._formats = formats(site)
        self._sources = [name for name in site.sources if name in sources]
        self._triage = Triage(site, lambda _source, _message, _error: None)

    def read(self, body: bytes, about: str) -> Saying | None:
        """None where no source of this site takes it."""
        for source in self._sources:
            arrival = self._triage.examine(source, body, START, "20260302070000")
            if arrival.state == "received":
                message = arrival.message
                return Saying(source=source, about=about, body=body, message_id=message.id, control_id=message.control_id)
        return None

    def fixtures(self, folder: Path) -> Iterator[Saying]:
        files = sorted(path for path in folder.glob("interfaces/*/fixtures/*") if path.suffix in (".hl7", ".json", ".txt"))
        bodies = [body for path in files if not path.name.endswith(".plan.json") for body in messages_in(path.read_bytes())]
        taken = [body for body in bodies if self.read(body, "")]
        for number in itertools.count(1) if taken else ():
            body = taken[number % len(taken)]
            fresh = self._renamed(body, f"DRILL{number:09d}")
            one = self.read(fresh, f"fixture {number % len(taken)}") if fresh else None
            if one is not None:
                yield one

    def _renamed(self, body: bytes, control_id: str) -> bytes:
        """The same under another id: MSH-10, or the field that the site's JSON format names; empty where that cannot be done."""
        if body.lstrip()[:1] in (b"{", b"["):
            return next(
                (fresh for one in self._formats.values() if (fresh := _renamed_json(body, getattr(one, "id_field", ""), control_id))), b""
            )
        try:
            HL7V2.header(body)
            return bytes(Hl7(body).replace("MSH-10", control_id))
        except Invalid:
            return b""


def _renamed_json(body: bytes, field: str, control_id: str) -> bytes:
    document = msgspec.json.decode(body)
    if not field or not isinstance(document, dict):
        return b""
    return msgspec.json.encode({**document, field: control_id})
