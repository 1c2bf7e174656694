"""Membership: a node's place among those that share a journal. It keeps the lease, sees who else is there, and buries the dead.

    join ──► beat, beat, beat … ──► leave
               │ (paused, or cut off, for longer than the lease, and another node noticed: buried)
               └──► join again, under a new incarnation

A beat extends the lease in the store by the store's clock. Here the lease counts by this machine's own clock, from before the store
was asked, so it never runs longer here than there. A node that was buried finds out at its next beat; what it had claimed is others'.

A lease that ran out while the store was away, and that nobody noticed, goes on as if nothing had been. So a node buries others only
when its own lease has held for a whole lease: after an outage of the database everybody has the time to come back.

What others may have to give up before this node may take it (a target's budget) is this node's from ``settled_at`` on: a lease after a
node joined, for by then every other node has seen it, or may not send any more. For the same reason the others need not give it up
at once, but at ``yields_at``: when the lease would have ended that they held when the new node was not there yet.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from math import inf
from typing import Any, Protocol, TypeVar

from isthmus.core.failure import Rejected, Transient
from isthmus.engine.clock import Clock, Timer
from isthmus.engine.duties import falls_to, name_of
from isthmus.engine.telemetry import ClaimsReleased, LeaseLapsed, NodeBuried, NodesChanged, Notify
from isthmus.engine.wake import Wake
from isthmus.journals.nodes import Members
from isthmus.journals.port import Outbox

LEASE = 3.0
"""Seconds. A node that is gone is missed after this."""
BEATS = 6
"""In one lease."""
WINDOW = 1.0
"""Seconds for which the last calls of a node that left count in a target's budget."""

R = TypeVar("R")


class Shared(Members, Outbox, Protocol):
    """What it needs of the journal."""


class Membership:
    """Implements ``Lease``. ``join`` before anything is claimed, ``run`` is its loop, ``leave`` when nothing is claimed any more."""

    def __init__(self, journal: Shared, name: str, *, clock: Clock, rng: random.Random, notify: Notify, lease: float = LEASE) -> None:
        """``name``: of this node, among those that share the journal; ``rng`` draws its incarnations."""
        self.journal = journal
        self._name = name
        self._clock = clock
        self._rng = rng
        self._notify = notify
        self.seconds = lease
        self.node = self._incarnate()
        self.living: tuple[str, ...] = ()
        """Every node whose lease runs, this one among them, as the last beat saw it; empty before it joined and after it was buried."""
        self.settled_at = inf
        """By the monotonic clock: when what falls to this node is surely nobody else's any more."""
        self._lost = True
        """Not joined yet, lapsed, or buried."""
        self.yields_at = -inf
        """When it has to have given up what falls to a node that joined."""
        self._until = -inf
        self._held_since = inf
        self._lapse: Timer | None = None
        self._heeding: list[Callable[[], None]] = []
        self._released: list[Callable[[], None]] = []
        self._duties: dict[str, bool] = {}
        self._abandoned: set[asyncio.Task[Any]] = set()
        self.wake = Wake(clock)
        """For a look at once: another node came or goes."""

    # ---- what others see

    @property
    def holds(self) -> bool:
        return self._clock.monotonic() < self._until

    @property
    def alone(self) -> bool:
        """No other node's lease ran at the last beat."""
        return len(self.living) < 2  # noqa: PLR2004 - this one

    def mine(self, duty: str) -> bool:
        """Whether a duty falls to this node, as far as it knows."""
        mine = self._duties.get(duty)
        if mine is None:
            mine = self._duties[duty] = bool(self.living) and falls_to(duty, self.living) == self.node
        return mine

    def heed(self, changed: Callable[[], None]) -> None:
        """Be called whenever somebody came or went, and when the lease lapsed, was lost, or is held again."""
        self._heeding.append(changed)

    def release(self, released: Callable[[], None]) -> None:
        """Be called when claims of others became unknown: there is something to check."""
        self._released.append(released)

    # ---- its life

    async def join(self) -> None:
        """Raises ``Rejected`` (``node-taken``) where another node of this name is alive; waits a lease for one that may not be."""
        begun = self._clock.monotonic()
        while True:
            late = self._clock.monotonic() - begun > self.seconds
            try:
                await self._answer(self.journal.join(self.node, self.seconds))
                break
            except Rejected:
                if late:
                    raise
                await self._clock.sleep(self.seconds / BEATS)
        for owner in await self.journal.owners():
            node = owner.partition("/")[0]
            if name_of(node) == self._name and node != self.node:
                self._tell({owner: await self.journal.release(owner, self._clock.now())})
        await self._beat()

    async def run(self) -> None:
        while True:
            await self.wake.wait(self.seconds / BEATS)
            try:
                await self._beat()
                if not self._lost and self._clock.monotonic() - self._held_since >= self.seconds:
                    self._tell(await self._answer(self.journal.bury(self._clock.now())))
            except Transient:
                pass  # told when the lease lapses; to wait longer and longer, as other loops do, would be to come back late

    async def leave(self) -> None:
        """What is still claimed becomes unknown. Raises ``Transient`` where the journal is away; then the lease runs out by itself."""
        if self._lapse is not None:
            self._lapse.cancel()
        self._lost, self._until, self.living = True, -inf, ()
        await self._answer(self.journal.leave(self.node, self._clock.now()))

    # ---- inside

    async def _beat(self) -> None:
        """Raises ``Transient`` where the store does not answer in time; the lease goes on until it lapses."""
        asked, living = await self._ask()
        gap = self._lost
        if living is not None and gap:  # by the first beat this node is seen, in the second it sees all others that are
            asked, living = await self._ask()
            self._held_since = asked
        if living is None:
            await self._start_over()
            return
        before, self._until = self._until, asked + self.seconds
        self._lost = False
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = self._clock.after(self._until - self._clock.monotonic(), self._lapsed)
        self._see(tuple(living), gap=gap, before=before)

    async def _ask(self) -> tuple[float, Sequence[str] | None]:
        """When the store was asked to extend the lease, and what it answered."""
        asked = self._clock.monotonic()
        return asked, await self._answer(self.journal.beat(self.node, self.seconds))

    def _see(self, living: tuple[str, ...], *, gap: bool, before: float) -> None:
        """``before``: until when the lease ran that the beat before this one gave."""
        known, self.living = self.living, living
        if not gap and living == known:
            return
        now = self._clock.monotonic()
        if gap:
            self.settled_at = now if self.alone else now + self.seconds + WINDOW
        elif set(living) - set(known):
            self.settled_at = now + self.seconds + WINDOW
            self.yields_at = min(before, self.yields_at) if self.yields_at > now else before
        else:
            self.settled_at = max(self.settled_at, now + WINDOW)
        if living != known:
            self._notify(NodesChanged(node=self.node, nodes=len(living)))
        self._changed()

    def _lapsed(self) -> None:
        self._notify(LeaseLapsed(node=self.node))
        self._lost, self.settled_at = True, inf
        self._changed()

    async def _start_over(self) -> None:
        """Buried: paused, or cut off, for longer than the lease."""
        self._notify(NodeBuried(node=self.node))
        self._lost, self._until, self.living, self.settled_at = True, -inf, (), inf
        self._changed()
        while True:
            self.node = self._incarnate()
            try:
                await self.join()
            except Transient:
                await self._clock.sleep(self.seconds / BEATS)
            else:
                return

    def _changed(self) -> None:
        self._duties.clear()
        for changed in self._heeding:
            changed()

    def _tell(self, claims: Mapping[str, int]) -> None:
        for owner, number in claims.items():
            if number:
                self._notify(ClaimsReleased(owner=owner, claims=number))
        if any(claims.values()):
            for released in self._released:
                released()

    def _incarnate(self) -> str:
        return f"{self._name}:{self._rng.getrandbits(48):012x}"

    async def _answer(self, call: Coroutine[Any, Any, R]) -> R:
        """What the store answers; raises ``Transient`` where it does not in half a lease. A call that hangs is left behind, for even
        giving it up may hang.
        """
        asking = asyncio.create_task(call)
        late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.after(self.seconds / 2, lambda: None if late.done() else late.set_result(None))
        try:
            await asyncio.wait((asking, late), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Transient("journal-silent", f"no answer from the journal in {self.seconds / 2:g} s: is the way to it free?")
            return asking.result()
        finally:
            timer.cancel()
            if not asking.done():
                asking.cancel()
                self._abandoned.add(asking)
                asking.add_done_callback(self._over)

    def _over(self, asking: asyncio.Task[Any]) -> None:
        self._abandoned.discard(asking)
        if not asking.cancelled():
            asking.exception()
