"""Courier: carries the deliveries of one endpoint out, and writes down how each attempt ended.

    claim ──► hand ──► workers (``in_flight`` of them, each ``send`` up to ``max_batch``) ──► done ──► settle

Claiming, sending and settling run beside each other, each in batches: whatever is finished while a settle is under way is the
next. The journal hands out at most one delivery of an ordering key at a time, so what is in hand may go in any order: safety first.

Before each claim and each send the lease is asked. While it does not hold, nothing is claimed or sent; what is in hand waits, for
the lease may be extended and the claims are still ours. When the node had to join under a new name, its old claims are others' by
now: what is in hand is dropped, and what was under way is settled under the name that claimed it, which counts for nothing then.

An outcome that is unknown is checked before anything is sent again. An exception of the client's own is our bug, and the
outcome of what it was sending is unknown; the endpoint pauses, and what was in that batch goes alone from then on, so that one
delivery that breaks the client soon stands alone as a dead letter.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from msgspec import Struct, structs

from isthmus.connectors.port import Client, NoTurn
from isthmus.core.classification import Classification
from isthmus.core.failure import Bug, Failure, Rejected, Transient
from isthmus.core.outcome import Delivered, Outcome, Reject, Retry, Unknown
from isthmus.core.policy import Lane, Policy, policy_for
from isthmus.engine import unplannable
from isthmus.engine.breaker import Breaker, BreakerState
from isthmus.engine.clock import Clock, deadline
from isthmus.engine.hand import Hand
from isthmus.engine.lease import Lease
from isthmus.engine.lifeline import owner_of
from isthmus.engine.settling import CLIENT_BUG, settled, tell, unsent
from isthmus.engine.telemetry import BreakerMoved, EndpointPaused, Notify
from isthmus.engine.wake import POLL, Wake
from isthmus.journals.port import Claimed, Outbox, Settlement

SETTLED_AT_ONCE = 512
HUNG = 4.0
"""Times the policy's timeout, plus half a minute for the budget's queue: a client still silent then hangs, and is interrupted."""
PAUSE = 60.0
"""Seconds an endpoint rests after a bug of its client, or while its configuration is refused."""
OPENING = 0.5
"""Seconds until an endpoint that could not be opened at the start is tried again; doubles up to the breaker's own pause."""
LAPSED = 0.25
"""Seconds between two looks at a lease that does not hold."""
IN_VAIN = 2
"""Probes in a row without an answer after which a drain waits for this endpoint no longer."""
ALONE = 3
"""Attempts after which a delivery that breaks the client by itself is given to a person."""

_UNDECLARED = policy_for(Classification(criticality="operations", latency="minutes"))
"""For deliveries of a subscription that the site no longer declares."""


class _Flight(Struct, frozen=True):
    """What one worker carries at once, all of one lane."""

    claims: Sequence[Claimed]
    owner: str
    """In whose name they were claimed."""
    started: datetime


class Courier:
    """One endpoint's. ``claiming``, ``settling`` and ``working`` (``workers`` times) are its loops."""

    def __init__(
        self,
        endpoint: str,
        client: Client,
        journal: Outbox,
        *,
        policies: Mapping[str, Policy],
        clock: Clock,
        rng: random.Random,
        lease: Lease,
        notify: Notify,
    ) -> None:
        """``policies``: by subscription that sends to this endpoint."""
        self.endpoint = endpoint
        self._client = client
        self._journal = journal
        self._policies = policies
        self._clock = clock
        self._rng = rng
        self._lease = lease
        self._owner = owner_of(lease.node, endpoint)
        """In whose name was claimed what is in hand."""
        self._notify = notify
        known = list(policies.values()) or [_UNDECLARED]
        self._pause_at_most = min(one.breaker_pause for one in known)
        self.breaker = Breaker(after=max(one.breaker_after for one in known), pause=self._pause_at_most, moved=self._moved)
        self._in_vain = 0
        self._probe_timeout = min(one.timeout for one in known)
        self.workers = max(1, client.in_flight)
        lanes: set[Lane] = {one.lane for one in known}
        self._hand = Hand(workers=self.workers, max_batch=client.max_batch, lanes=lanes)
        self._mixed = "safety" in lanes and len(lanes) > 1
        self._idle: deque[asyncio.Future[None]] = deque()
        self._done: list[tuple[str, Settlement]] = []
        """With the name under which it was claimed."""
        self._opened = False
        self._lost = False
        self._resting = False
        self.wake = Wake(clock)
        self._settle = Wake(clock)
        self.next_due: datetime | None = None

    # ---- what others see

    @property
    def in_hand(self) -> int:
        """Claimed and not settled yet."""
        return len(self._hand) + len(self._done)

    @property
    def in_the_air(self) -> int:
        return self._hand.flying

    def at_rest(self, until: datetime) -> bool:
        """Nothing is in hand and nothing will be due before that time, as far as it knows; or the endpoint does not answer."""
        if self._resting:
            return self.in_hand == 0
        if self.breaker.state == "open":
            probed = self.breaker.probe_at - self._clock.monotonic() <= (until - self._clock.now()).total_seconds()
            hope = (self.next_due is not None or self.wake.raised) and probed and self._in_vain < IN_VAIN
            return self._hand.flying == 0 and not self._done and not hope
        # What has just become due is claimed in a moment; what has long been due and was not claimed is not ours to claim.
        due_soon = self.next_due is not None and self._clock.now() - timedelta(seconds=POLL) < self.next_due <= until
        return self.in_hand == 0 and not self._lost and self.wake.asleep and not due_soon

    def rest(self, resting: bool) -> None:
        """Claim nothing, and return what was not sent, for other nodes to send; or go on."""
        self._resting = resting
        if resting:
            self._return()
        self.wake()

    async def hand_back(self) -> None:
        """The engine stops and the loops have ended: settle what is done, return what was not sent."""
        self._return()
        while self._done:
            await self._settle_some()

    def _return(self) -> None:
        self._done += [(self._owner, unsent(one, self._clock.now())) for one in self._hand]
        self._hand.clear()
        self._settle()

    async def close(self) -> None:
        """Also where it could not be opened: it may have got half-way."""
        self._opened = False
        await self._client.close()

    # ---- claiming

    async def claiming(self) -> None:
        while True:
            if not self._may_send(self._owner):
                await self._regain()
            if self.breaker.state == "open" or not self._opened:
                await self._probe()
                continue
            if self._lost and not self.in_hand:
                await self._release()
            room, lane = self._room()
            if room and await self._claim(room, lane) == room:
                continue  # there may be more
            await self.wake.wait(await self._until_due() if self._room()[0] else POLL)

    def _may_send(self, owner: str) -> bool:
        """Whether the lease holds, and under the name by which this was claimed; while the courier rests, others may."""
        return not self._resting and self._lease.holds and owner_of(self._lease.node, self.endpoint) == owner

    async def _regain(self) -> None:
        """Wait until the lease holds; what was claimed under a name that is buried is not ours any more."""
        while not self._lease.holds:
            await self.wake.wait(LAPSED)
        owner = owner_of(self._lease.node, self.endpoint)
        if owner != self._owner:
            self._hand.clear()
            self._owner, self._lost = owner, False
        self._call_workers(self.workers)

    async def _release(self) -> None:
        """A claim failed: it may have been made, and only its answer was lost. Nothing else is in hand now, so what is still
        claimed in our name is just that.
        """
        await self._journal.release(self._owner, self._clock.now())
        self._lost = False

    def _room(self) -> tuple[int, Lane | None]:
        """How many to claim, and whether of one lane only: a hand that is full of others has still room for safety."""
        if self._lost or not self._may_send(self._owner):
            return 0, None
        if self.breaker.state == "half-open":
            return 0 if self.in_hand else 1, None
        if room := self._hand.room(len(self._done)):
            return room, None
        return (self._hand.room_for_safety(), "safety") if self._mixed else (0, None)

    async def _claim(self, room: int, lane: Lane | None) -> int:
        try:
            claimed = await self._journal.claim(self.endpoint, room, self._clock.now(), self._owner, lane=lane)
        except Transient:
            self._lost = True
            raise
        for one in claimed:
            if one.delivery.operation == unplannable.OPERATION:
                self._note(_Flight([one], self._owner, self._clock.now()), [unplannable.outcome(one.delivery)], checked=False)
                self._settle()
            else:
                self._hand.add(one)
        if lane is None:
            self._hand.filled(self._clock.monotonic(), full=len(claimed) == room)
        if self._resting:  # since while it was claimed
            self._return()
        self._call_workers(len(claimed))
        return len(claimed)

    async def _until_due(self) -> float:
        """Seconds until something becomes due; what is due already but could not be claimed waits for something that wakes us."""
        self.next_due = await self._journal.next_due(self.endpoint)
        if self.next_due is None:
            return POLL
        seconds = (self.next_due - self._clock.now()).total_seconds()
        return min(seconds, POLL) if seconds > 0 else POLL

    # ---- opening, probing

    async def _probe(self) -> None:
        """Wait until the probe is due, then ask whether the endpoint is there."""
        self.next_due = await self._journal.next_due(self.endpoint)
        wait = self.breaker.probe_at - self._clock.monotonic()
        if self.breaker.state == "open" and wait > 0:
            await self._clock.sleep(wait)
        try:
            async with deadline(self._clock, HUNG * self._probe_timeout):
                if self._opened:
                    await self._client.ping(self._probe_timeout)
                else:
                    await self._client.open()
        except Rejected as failure:
            self._pause(failure.code, failure.detail)
        except Transient as failure:
            self._unanswered(failure.code, failure.after)
        except TimeoutError:
            self._unanswered("probe-timeout", None)
        except Exception as error:  # noqa: BLE001 - a broken client must not end the other endpoints
            self._pause("client-exception", f"probe raised {type(error).__name__}")
        else:
            self._opened, self._in_vain = True, 0
            if self.breaker.state == "open":
                if self._mixed and not self._lost and self._may_send(self._owner):  # the one that goes first is to be one that matters
                    await self._claim(min(1, self._hand.room_for_safety()), "safety")
                self.breaker.answered()
            self._call_workers(self.workers)

    def _unanswered(self, code: str, after: float | None) -> None:
        """An endpoint that was never open burns no attempts, so it may be tried again soon."""
        self._in_vain += 1
        soon = None if self._opened else min(self._pause_at_most, OPENING * 2.0 ** min(self._in_vain - 1, 16))
        self.breaker.trip(self._clock.monotonic(), code, after or soon)

    def _pause(self, code: str, detail: str) -> None:
        self.breaker.trip(self._clock.monotonic(), code, PAUSE)
        self._notify(EndpointPaused(endpoint=self.endpoint, code=code, detail=detail, pause=PAUSE))

    def _moved(self, state: BreakerState, code: str) -> None:
        self._notify(BreakerMoved(endpoint=self.endpoint, state=state, code=code))
        self.wake()
        if state != "open":
            self._call_workers(self.workers)

    # ---- sending

    async def working(self) -> None:
        """One worker: it takes what goes in one ``send``, again and again."""
        while True:
            batch = self._take()
            if not batch:
                call: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._idle.append(call)
                await call
                continue
            try:
                await self._carry(_Flight(batch, self._owner, self._clock.now()))
            finally:
                self._hand.landed(batch)
                self._settle()

    def _take(self) -> list[Claimed]:
        if not self._opened or not self._may_send(self._owner) or not self.breaker.permits(self._hand.flying):
            return []
        return self._hand.take(self._clock.monotonic(), single=self.breaker.state == "half-open")

    def _call_workers(self, batches: int) -> None:
        while self._idle and batches > 0:
            call = self._idle.popleft()
            if not call.done():
                call.set_result(None)
                batches -= 1

    async def _carry(self, flight: _Flight) -> None:
        """Send one batch, or check one delivery (and send it if it is surely not there), and note how it ended."""
        first, many = flight.claims[0], len(flight.claims)
        checked = first.unknown
        timeout = max(self._policy(one).timeout for one in flight.claims)
        try:
            async with deadline(self._clock, HUNG * timeout + 30.0):
                outcomes: Sequence[Outcome] = [await self._client.check(first.delivery, timeout, lane=first.lane)] if checked else []
                if not outcomes or (isinstance(outcomes[0], Retry) and not outcomes[0].after):
                    outcomes, checked = await self._send(flight, timeout), False
        except NoTurn as failure:
            self._done += [(flight.owner, unsent(one, self._clock.now(), failure.code)) for one in flight.claims]
        except (Transient, TimeoutError) as failure:
            code = failure.code if isinstance(failure, Transient) else "client-hung"
            self._note(flight, [Unknown(code)] * many, checked=checked)
        except (Exception, asyncio.CancelledError) as error:
            if _stopped():
                self._note(flight, [Unknown("stopped")] * many, checked=False)
                raise
            code = error.code if isinstance(error, Failure) else "client-exception"
            self._note(flight, [Unknown(code)] * many, checked=False, bug=True)
            self._pause(code, f"send raised {type(error).__name__}")
        else:
            self._note(flight, outcomes, checked=checked)

    async def _send(self, flight: _Flight, timeout: float) -> Sequence[Outcome]:
        if not self._may_send(flight.owner):
            raise NoTurn("lease-lapsed", "another node may have taken it over")
        outcomes = await self._client.send([one.delivery for one in flight.claims], timeout, lane=flight.claims[0].lane)
        if len(outcomes) != len(flight.claims):
            raise Bug("outcomes", f"the client of {self.endpoint} gave {len(outcomes)} outcomes for {len(flight.claims)} deliveries")
        return outcomes

    def _note(self, flight: _Flight, outcomes: Sequence[Outcome], *, checked: bool, bug: bool = False) -> None:
        ended = self._clock.now()
        for claimed, outcome in zip(flight.claims, outcomes, strict=True):
            policy = self._policy(claimed)
            settlement = settled(claimed, outcome, policy, checked=checked, started=flight.started, ended=ended, rng=self._rng)
            if bug and len(flight.claims) == 1 and claimed.attempt >= ALONE:
                settlement = structs.replace(settlement, state="dead", reason=CLIENT_BUG, not_before=None)
            self._done.append((flight.owner, settlement))
        if flight.claims[0].delivery.operation != unplannable.OPERATION:
            self._judge(outcomes)

    def _judge(self, outcomes: Sequence[Outcome]) -> None:
        """What one ``send`` says of the endpoint: it answered something, or it failed, once; what was not even tried says nothing."""
        failed = [one for one in outcomes if isinstance(one, Retry | Unknown) and not one.untried]
        if any(isinstance(one, Delivered | Reject) for one in outcomes):
            self.breaker.succeeded()
        elif failed:
            wishes = [one.after for one in failed if isinstance(one, Retry) and one.after]
            self.breaker.failed(self._clock.monotonic(), failed[0].code, max(wishes, default=None))

    def _policy(self, claimed: Claimed) -> Policy:
        return self._policies.get(claimed.delivery.subscription, _UNDECLARED)

    # ---- settling

    async def settling(self) -> None:
        while True:
            if not self._done:
                await self._settle.wait()
                continue
            batch = await self._settle_some()
            self.wake()
            tell(batch, self.endpoint, self._notify)

    async def _settle_some(self) -> Sequence[Settlement]:
        """Of one name only: a settlement under another than its claim's might end what somebody else is sending."""
        owner = self._done[0][0]
        batch = [one for _, one in takewhile(lambda named: named[0] == owner, self._done[:SETTLED_AT_ONCE])]
        await self._journal.settle(batch, owner)
        del self._done[: len(batch)]
        return batch


def _stopped() -> bool:
    """Whether it is us who interrupt; a client that cancels itself has a bug like any other."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
