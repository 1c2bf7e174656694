"""Shares: each node keeps to its portion of a target's budget, so that all nodes together keep to the budget.

What is to be given up is given up at once; what is gained is taken when all others have surely given it up. A node without a portion
does not claim for that endpoint; what it has not sent it gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.engine.budget import TargetBudget
from isthmus.engine.clock import Clock, Timer
from isthmus.engine.duties import Portion, lesser, portion, ranked
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
        left = self._membership.settled_at - self._clock.monotonic()
        for endpoint, share in self._shares.items():
            ours = self._ours(endpoint, share)
            now = ours if left <= 0 else lesser(share.portion, ours)
            if now != share.portion:
                share.take(now)
            self._rest(endpoint, now is None)
        if left > 0 and self._membership.holds:
            self._timer = self._clock.after(left, self.look)

    def _ours(self, endpoint: str, share: Share) -> Portion | None:
        """What falls to this node once everybody has seen what it sees; nothing while it has no lease."""
        living = self._membership.living
        if not self._membership.holds or not living:
            return None
        return portion(share.whole, ranked(f"endpoint {endpoint}", living).index(self._membership.node), len(living))
