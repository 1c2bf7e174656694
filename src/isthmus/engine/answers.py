"""Answers: finds what lookups ask for, and keeps what may be kept for a while.

A question is answered from the nearest place: the pseudonym in process from the site's keys, an earlier answer that is not
older than the question allows, or the endpoint's client. Equal questions that are under way at the same time and may be
shared (``max_age``) are asked once; but what is critical does not wait for an answer that waits in a lower lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.connectors.port import Client
from isthmus.core.failure import Bug, Failure
from isthmus.core.lookup import Lookup
from isthmus.core.policy import LANES, Lane
from isthmus.core.pseudonym import ENDPOINT, NAME
from isthmus.engine.clock import Clock

KEPT = 10_000
"""Answers in memory; the oldest leave first."""

Pseudonym = Callable[[str, str], str]
"""Kind and value of an identifier → its keyed reference; comes from the site's key ring."""


class NotAtHand(BaseException):
    """The answer has to be fetched. A signal, not an error: ``except Exception`` in interface code must not eat it."""


class Answers:
    def __init__(self, clients: Mapping[str, Client], *, clock: Clock, pseudonym: Pseudonym, timeout: float = 10.0) -> None:
        self._clients = clients
        self._clock = clock
        self._pseudonym = pseudonym
        self._timeout = timeout
        self._kept: dict[Lookup[Any], tuple[float, Any]] = {}
        self._asking: dict[tuple[Lookup[Any], Lane], asyncio.Task[Any]] = {}

    def at_hand(self, lookup: Lookup[Any]) -> Any:
        """The answer, if it takes no I/O; raises ``NotAtHand``."""
        if lookup.endpoint == ENDPOINT:
            return self._in_process(lookup)
        kept = self._kept.get(lookup) if lookup.max_age > 0 else None
        if kept is not None and self._clock.monotonic() - kept[0] <= lookup.max_age:
            return kept[1]
        raise NotAtHand

    async def ask(self, questions: tuple[Lookup[Any], ...], lane: Lane = "normal") -> tuple[Any, ...]:
        """Answers in the order of the questions, fetched together. Raises ``Transient``, ``Rejected`` or ``Bug``."""
        if len(questions) == 1:
            return (await self.one(questions[0], lane),)
        found = await asyncio.gather(*(self.one(one, lane) for one in questions), return_exceptions=True)
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
        return tuple(found)

    async def one(self, lookup: Lookup[Any], lane: Lane = "normal") -> Any:
        try:
            return self.at_hand(lookup)
        except NotAtHand:
            pass
        if lookup.max_age <= 0:
            return await self._fetch(lookup, lane)
        asking = next((asking for one in LANES[: LANES.index(lane) + 1] if (asking := self._asking.get((lookup, one)))), None)
        if asking is None:
            asking = self._asking[lookup, lane] = asyncio.create_task(self._fetch_and_keep(lookup, lane))
            asking.add_done_callback(_seen)
        return await asyncio.shield(asking)

    async def close(self) -> None:
        """Nobody waits for answers any more."""
        asking = list(self._asking.values())
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _in_process(self, lookup: Lookup[Any]) -> str:
        if lookup.name != NAME or len(lookup.args) != 2:  # noqa: PLR2004 - kind and value
            raise Bug("no-such-lookup", f"the engine answers no question named {lookup.name!r}: ask isthmus.core.pseudonym")
        kind, value = lookup.args
        return self._pseudonym(kind, value)

    async def _fetch(self, lookup: Lookup[Any], lane: Lane) -> Any:
        client = self._clients.get(lookup.endpoint)
        if client is None:
            raise Bug("no-client", f"a lookup asks endpoint {lookup.endpoint}, which is not configured: add it under [endpoints]")
        try:
            return await client.look(lookup, self._timeout, lane=lane)
        except Failure:
            raise
        except Exception as error:
            raise Bug("client-exception", f"the client of {lookup.endpoint} raised {type(error).__name__} on {lookup.name}") from error

    async def _fetch_and_keep(self, lookup: Lookup[Any], lane: Lane) -> Any:
        try:
            answer = await self._fetch(lookup, lane)
        finally:
            del self._asking[lookup, lane]
        self._kept.pop(lookup, None)
        self._kept[lookup] = (self._clock.monotonic(), answer)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return answer


def _seen(asking: asyncio.Task[Any]) -> None:
    """Whoever asked may have been stopped meanwhile: a failure that nobody waits for any more is no news."""
    if not asking.cancelled():
        asking.exception()
