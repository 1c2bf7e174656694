"""Shares: each node keeps to its portion of a target's budget, so that all nodes together keep to the budget.

What a new node takes away is given up in time (``Membership.yields_at``); what is gained is taken when all others have surely given it
up (``settled_at``). A node without a portion does not claim for that endpoint; what it has not sent it gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.engine import duties
from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import Clock, Timer
from isthmus.engine.duties import Portion, lesser, ranked
from isthmus.engine.lease import Lease
from isthmus.engine.membership import Membership


class Share:
    """One endpoint's budget, as far as this node may use it now. Calls that wait in it ask it for the lease: a share of nothing has none."""

    def __init__(self, whole: Portion, lease: Lease, clock: Clock) -> None:
        self.whole = whole
        self.portion: Portion | None = None
        self._lease = lease
        self.budget = TargetBudget(clock, calls_per_second=whole.calls_per_second, in_flight=whole.in_flight, lease=self)

    @property
    def node(self) -> str:
        return self._lease.node

    @property
    def holds(self) -> bool:
        return self.portion is not None and self._lease.holds

    def take(self, now: Portion | None) -> None:
        self.portion = now
        if now is not None:
            self.budget.resize(calls_per_second=now.calls_per_second, in_flight=now.in_flight)


class Shares:
    """``look`` whenever somebody came or went; ``rest`` is called with an endpoint and whether its courier has to rest."""

    def __init__(self, shares: Mapping[str, Share], membership: Membership, *, clock: Clock, rest: Callable[[str, bool], None]) -> None:
        self._shares = shares
        self._membership = membership
        self._clock = clock
        self._rest = rest
        self._timer: Timer | None = None

    def look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock.monotonic()
        held, yields, settled = self._membership.holds, self._membership.yields_at, self._membership.settled_at
        for endpoint, share in self._shares.items():
            portion = share.portion
            if not held or settled <= now:
                portion = self._ours(endpoint, share)
            elif yields <= now:
                portion = lesser(portion, self._ours(endpoint, share))
            if portion != share.portion:
                share.take(portion)
            self._rest(endpoint, portion is None)
        if held and now < settled:
            self._timer = self._clock.after((yields if now < yields else settled) - now, self.look)

    def _ours(self, endpoint: str, share: Share) -> Portion | None:
        """What falls to this node once everybody has seen what it sees; nothing while it has no lease."""
        living = self._membership.living
        if not self._membership.holds or not living:
            return None
        return duties.portion(share.whole, ranked(f"endpoint {endpoint}", living).index(self._membership.node), len(living))
