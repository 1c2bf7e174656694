"""Subscriber: the events of one subscription, in order, from its own cursor; one task each, so none holds another.

What happens when an event cannot be planned:

Transient   the events before it are committed; this subscription waits by back-off and asks again; others run on
Rejected    the event becomes a dead letter (``unplannable``) that holds its own ordering key; the events behind go on. When
            ten in a row are rejected for one reason, it is not about the events any more: the subscription stops
Bug         the events before it are committed; the subscription stops at the event until it is resumed; nothing is skipped

Where nodes share the journal, each subscription is worked by one of them at a time. If two do for a moment, the cursor is its own
fence: whoever commits second finds it moved, keeps nothing, and reads on from where it stands.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from isthmus.core.event import Envelope
from isthmus.core.failure import Bug, Failure, Transient
from isthmus.engine.backoff import pause
from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import EventsPlanned, EventUnplannable, Notify, SubscriptionDelayed, SubscriptionStopped
from isthmus.engine.unplannable import dead_letter
from isthmus.engine.wake import POLL, Wake, not_all
from isthmus.journals.port import Planned, Position, Stages

BATCH = 256
TOGETHER = 32
"""Events whose questions are fetched at the same time."""
SLICE = 0.002
"""Seconds of pure work after which other loops get their turn."""
REJECTED_IN_A_ROW = 10

SubscriptionState = Literal["running", "waiting", "stopped", "elsewhere"]
"""waiting: a question cannot be answered for the moment · stopped: a bug; a person resumes it · elsewhere: another node works it."""

Plan = Callable[[Sequence[Envelope]], Awaitable[Sequence[Planned | Failure]]]
"""Events → for each what it became, or why not; raises nothing but ``Transient`` of the journal."""


class Subscriber:
    """``run`` is its loop; ``planned`` is called when a commit made deliveries due."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        journal: Stages,
        *,
        endpoint: str,
        first_retry: float,
        max_retry: float,
        clock: Clock,
        rng: random.Random,
        notify: Notify,
        planned: Callable[[], None],
        mine: Callable[[], bool] = lambda: True,
        gather: float = 0.0,
    ) -> None:
        """``mine``: whether it falls to this node now; ``gather``: see ``Engine``."""
        self.name = name
        self._plan = plan
        self._journal = journal
        self._endpoint = endpoint
        self._first_retry, self._max_retry = first_retry, max_retry
        self._clock = clock
        self._rng = rng
        self._notify = notify
        self._planned = planned
        self._mine = mine
        self._gather = gather
        self._astray = False
        """Another node may have moved the cursor."""
        self.wake = Wake(clock)
        self.cursor = 0
        self.state: SubscriptionState = "running"
        self._delays = 0
        self._rejections: list[str] = []

    @property
    def idle(self) -> bool:
        """Nothing to do, as far as it knows, or nothing that can be done soon."""
        return self.wake.asleep or (self.state == "waiting" and self._delays > 2)  # noqa: PLR2004 - a hiccup is soon over

    def stands(self, position: Position) -> None:
        """Where the journal says that it stands; called before it runs."""
        self.cursor = position.cursor
        self.state = "stopped" if position.stopped else "running"

    async def run(self) -> None:
        while True:
            if not self._mine():
                self.state, self._astray = "elsewhere", True
                await self.wake.wait(POLL)
                continue
            if self._astray:
                await self._find_cursor()
            envelopes = await self._journal.upcoming(self.name, BATCH)
            if not envelopes:
                await self.wake.wait(POLL)
                continue
            self.state = "running"
            failure = await self._work(envelopes)
            if isinstance(failure, Transient):
                await self._delay(failure)
            else:
                self._delays = 0
                if failure is None and not not_all(envelopes, BATCH):
                    if self._gather:
                        await self._clock.sleep(self._gather)
                    await self.wake.wait(POLL)

    async def _find_cursor(self) -> None:
        for position in await self._journal.positions():
            if position.subscription == self.name:
                self.stands(position)
        self._astray = False

    async def _moved(self) -> bool:
        """Whether another node has passed the event that this one cannot plan: its code may be newer."""
        before = self.cursor
        await self._find_cursor()
        return self.cursor != before

    async def _work(self, envelopes: Sequence[Envelope]) -> Failure | None:
        """Plan and commit a batch; the failure at which it ended early, if any."""
        results: list[Planned] = []
        failure: Failure | None = None
        begun = self._clock.monotonic()
        for start in range(0, len(envelopes), TOGETHER):
            chunk = envelopes[start : start + TOGETHER]
            for envelope, one in zip(chunk, await self._plan(chunk), strict=True):
                result = self._judged(envelope, one)
                if isinstance(result, Failure):
                    failure = result
                    break
                results.append(result)
            if failure is not None:
                break
            if self._clock.monotonic() - begun > SLICE:
                await asyncio.sleep(0)
                begun = self._clock.monotonic()
        await self._commit(envelopes, results)
        if failure is not None and not isinstance(failure, Transient) and not await self._moved():
            await self._stop(envelopes[len(results)], failure)
        return failure

    def _judged(self, envelope: Envelope, result: Planned | Failure) -> Planned | Failure:
        if isinstance(result, Planned):
            self._rejections.clear()
            return result
        if isinstance(result, Transient | Bug):
            return result
        if self._rejections and self._rejections[-1] != result.code:
            self._rejections.clear()
        self._rejections.append(result.code)
        if len(self._rejections) >= REJECTED_IN_A_ROW:
            detail = f"{REJECTED_IN_A_ROW} events in a row were rejected, so it is not about the events: {result.detail}"
            self._rejections.clear()
            return Bug(result.code, detail)
        self._notify(EventUnplannable(subscription=self.name, event_id=envelope.id, code=result.code))
        return Planned(event_id=envelope.id, deliveries=(dead_letter(envelope, self.name, self._endpoint, result),))

    async def _commit(self, envelopes: Sequence[Envelope], results: list[Planned]) -> None:
        if not results:
            return
        cursor = envelopes[len(results) - 1].seq
        if not await self._journal.planned(self.name, cursor, results, self._clock.now(), after=self.cursor):
            self._astray = True
            return
        self.cursor = cursor
        deliveries = sum(len(one.deliveries) for one in results)
        self._notify(EventsPlanned(subscription=self.name, events=len(results), deliveries=deliveries))
        if deliveries:
            self._planned()

    async def _stop(self, envelope: Envelope, failure: Failure) -> None:
        await self._journal.stop(self.name, failure.code, failure.detail, self._clock.now())
        self.state = "stopped"
        self._notify(SubscriptionStopped(subscription=self.name, event_id=envelope.id, code=failure.code, detail=failure.detail))

    async def _delay(self, failure: Transient) -> None:
        self._delays += 1
        self.state = "waiting"
        drawn = pause(self._delays, first=self._first_retry, longest=self._max_retry, rng=self._rng)
        wait = max(failure.after or 0.0, drawn)
        self._notify(SubscriptionDelayed(subscription=self.name, code=failure.code, pause=wait))
        await self._clock.sleep(wait)
