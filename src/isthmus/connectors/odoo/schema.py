"""Schema: what fields the models of this very Odoo have, asked once. Versions and add-ons differ; nothing is guessed."""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct

from isthmus.connectors.odoo.session import Deadline, Session

_STALE = 60.0
"""Seconds after which a field that seems to be missing is looked for once more: somebody may have installed a module."""


class Field(Struct, frozen=True):
    type: str
    relation: str = ""
    required: bool = False


Fields = dict[str, Field]


class Schema:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, tuple[float, Fields]] = {}

    async def fields(self, model: str, deadline: Deadline, *, wanted: frozenset[str] = frozenset()) -> Fields:
        """The fields of a model that the service user may see. Raises ``Fault`` where there is no such model."""
        asked, fields = self._known.get(model, (0.0, {}))
        now = time.monotonic()
        if not fields or (wanted - fields.keys() and now - asked > _STALE):
            answer = await self._session.read(model, "fields_get", deadline, attributes=["type", "relation", "required"])
            fields = {name: msgspec.convert(one, Field, strict=False) for name, one in answer.items()}
            self._known[model] = (now, fields)
        return fields
