"""Neighbours: all that a node does because others share its journal, in one place: it joins, hears and rings the bell, keeps to its share
of the targets' budgets, and opens the sources that fall to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.connectors.port import Accept, Exclusive, Source
from isthmus.engine.bell import NODES, Bell
from isthmus.engine.clock import Clock
from isthmus.engine.membership import Membership
from isthmus.engine.porter import Porter
from isthmus.engine.shares import Share, Shares
from isthmus.engine.status import NodesStatus
from isthmus.engine.supervisor import Loop
from isthmus.journals.nodes import Members


class Neighbours:
    def __init__(
        self,
        membership: Membership,
        journal: Members,
        sources: Mapping[str, Source],
        shares: Mapping[str, Share],
        *,
        clock: Clock,
        accept: Accept,
        rest: Callable[[str, bool], None],
        changed: Callable[[], None],
        released: Callable[[], None],
    ) -> None:
        """``rest``: an endpoint's courier has to rest, or may go on; ``changed``: duties may have; ``released``: there is something
        to check.
        """
        self._journal = journal
        self._membership = membership
        self.exclusive = {name: source for name, source in sources.items() if isinstance(source, Exclusive) and source.exclusive}
        self._bell = Bell(journal, clock=clock, alone=lambda: membership.alone)
        self._porter = Porter(self.exclusive, membership, accept, clock=clock)
        self._shares = Shares(shares, membership, clock=clock, rest=rest)
        self._topics: dict[str, Callable[[], None]] = {NODES: membership.wake}
        membership.heed(self._shares.look)
        membership.heed(self._porter.wake)
        membership.heed(changed)
        membership.release(released)

    @property
    def alone(self) -> bool:
        return self._membership.alone

    def status(self) -> NodesStatus:
        one = self._membership
        return NodesStatus(node=one.node, holds=one.holds, living=one.living)

    def mine(self, duty: str) -> bool:
        return self._membership.mine(duty)

    def ring(self, *topics: str) -> None:
        """Tell the other nodes' loops that there is work; costs nothing where there are none."""
        self._bell.ring(*topics)

    def hear(self, topic: str, call: Callable[[], None]) -> None:
        """Be called when another node rings so."""
        self._topics[topic] = call

    async def join(self, run: Callable[[str, Loop], None]) -> None:
        """Take a place among them, and keep it; raises ``Rejected`` (``node-taken``)."""
        await self._journal.listen(self._heard)
        await self._membership.join()
        run("membership", self._membership.run)
        run("bell", self._bell.run)
        await self._bell.now(NODES)

    def open_sources(self, run: Callable[[str, Loop], None]) -> None:
        """Those that only one node reads, when they fall to this one."""
        run("porter", self._porter.run)

    async def close_sources(self) -> None:
        await self._porter.close()

    async def leave(self) -> None:
        """Raises ``Transient`` where the journal is away: then the others wait for the lease to run out."""
        await self._membership.leave()
        await self._bell.now(NODES)

    def _heard(self, topic: str) -> None:
        call = self._topics.get(topic)
        if call is not None:
            call()
