"""Engine: puts the loops together: start, drain, stop. What they do is in their own files."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from isthmus.connectors.port import Client, Examines, Redeems, Source
from isthmus.core.failure import Bug, Transient
from isthmus.core.policy import Lane, policy_for
from isthmus.core.site import Site
from isthmus.engine import bell
from isthmus.engine.answers import Answers, Pseudonym
from isthmus.engine.clock import Clock
from isthmus.engine.courier import Courier
from isthmus.engine.lease import Alone
from isthmus.engine.lifeline import Lifeline
from isthmus.engine.membership import Membership
from isthmus.engine.neighbours import Neighbours
from isthmus.engine.planning import Planning
from isthmus.engine.pruner import Pruner
from isthmus.engine.receiver import Receiver
from isthmus.engine.registrar import EVENT, NAME, Registrar
from isthmus.engine.replay import Replay
from isthmus.engine.shares import Share
from isthmus.engine.status import EndpointStatus, Status, SubscriptionStatus
from isthmus.engine.subscriber import Plan, Subscriber
from isthmus.engine.supervisor import Supervisor
from isthmus.engine.telemetry import Notify, SubscriptionOrphaned
from isthmus.engine.translator import Translator
from isthmus.journals.port import Journal

_GLANCE = 0.02
"""Seconds between two looks whether all work is done, while draining."""


class Engine:
    """Runs a site on a journal that the caller has opened (and will close).

    ``sources`` and ``clients`` are by the names that the site uses; ``pseudonym`` comes from the key ring; ``notify`` hears every
    notice. ``node`` is this process' name (``lifeline.node_name``) where it has the journal to itself, and its membership where nodes
    share one; then ``shares`` holds the budgets of the clients that have one.
    """

    def __init__(
        self,
        site: Site,
        journal: Journal,
        sources: Mapping[str, Source],
        clients: Mapping[str, Client],
        *,
        clock: Clock,
        rng: random.Random,
        node: str | Membership,
        pseudonym: Pseudonym,
        notify: Notify,
        shares: Mapping[str, Share] | None = None,
        gather: float = 0.0,
    ) -> None:
        """``gather``: seconds for which translator and subscribers, when they have done all there was, let new work come together.
        Each of their batches costs commits and hops between threads, which would otherwise take from those who wait for an
        acknowledgement.
        """
        _fits(site, sources, clients)
        self._site = site
        self._journal = journal
        self._sources = sources
        self._clock = clock
        self._notify = notify
        self._answers = Answers(clients, clock=clock, pseudonym=pseudonym)
        self._supervisor = Supervisor(clock=clock, rng=rng, notify=notify, failing=self._failing)
        self.replay = Replay(site, journal, self._answers, clock=clock, due=self._due_anywhere)
        self._couriers = {
            name: Courier(
                name,
                client,
                journal,
                policies={one.name: policy_for(one.classification) for one in site.subscriptions if one.to.name == name},
                clock=clock,
                rng=rng,
                lease=Alone(node) if isinstance(node, str) else node,
                notify=notify,
            )
            for name, client in clients.items()
        }
        self._gather = gather
        self._subscribers = [self._subscriber(one, rng) for one in site.subscriptions]
        self._types: dict[str, frozenset[str]] = {one.name: one.types for one in site.subscriptions}
        self._lanes: dict[str, Lane] = {one.name: policy_for(one.classification).lane for one in site.subscriptions}
        self._registrar = Registrar(journal, clock=clock, notify=notify)
        for name, client in clients.items():
            self._registrar.listen(name, client)
            if isinstance(client, Redeems):
                client.redeem_from(journal.piece)
        if any(event.spec.type == EVENT for event in site.catalogue):
            self._subscribers.append(self._following(NAME, self._registrar.plan, "", (0.5, 30.0), rng))
            self._types[NAME] = frozenset({EVENT})
        self._translator = Translator(
            site, journal, clock=clock, notify=notify, translated=self._translated, share=self._to_translate, gather=gather
        )
        self._receiver = Receiver(site, journal, sources, clock=clock, rng=rng, notify=notify, received=self._received)
        self._neighbours: Neighbours | None = None
        self._lifeline: Lifeline | None = None
        if isinstance(node, str):
            self._lifeline = Lifeline(journal, node=node, clock=clock, notify=notify, released=self._wake_couriers)
        else:
            self._neighbours = self._among(node, shares or {})
        keep = {one.name: policy_for(one.classification).keep_bodies for one in site.interfaces}
        self._pruner = Pruner(journal, keep, clock=clock, notify=notify, mine=functools.partial(self._mine, "pruner"))
        self._started: list[Source] = []
        self._leaving = False
        """This node ends, and others go on."""

    # ---- start, drain, stop

    async def start(self) -> None:
        """Take over what a dead process left, start every loop, and only then let messages in."""
        if self._neighbours is not None:
            await self._neighbours.join(self._supervisor.start)
        if self._lifeline is not None:
            await self._lifeline.look()
        await self._enrol()
        self._run_loops()
        await self._open_sources()

    def _run_loops(self) -> None:
        run = self._supervisor.start
        run("receiver", self._receiver.run)
        run("translator", self._translator.run)
        for subscriber in self._subscribers:
            run(f"subscriber {subscriber.name}", subscriber.run)
        for courier in self._couriers.values():
            run(f"courier {courier.endpoint} claiming", courier.claiming)
            run(f"courier {courier.endpoint} settling", courier.settling)
            for number in range(courier.workers):
                run(f"courier {courier.endpoint} worker {number + 1}", courier.working)
        run("registrar", self._registrar.run)
        run("pruner", self._pruner.run)

    async def _open_sources(self) -> None:
        for source in self._sources.values():
            if isinstance(source, Examines):
                source.examine_with(self._receiver.examine)
        if self._neighbours is not None:
            self._neighbours.open_sources(self._supervisor.start)
        for name, source in self._sources.items():
            if self._neighbours is None or name not in self._neighbours.exclusive:
                self._started.append(source)
                await source.start(self._receiver.accept)

    async def drain(self, timeout: float) -> bool:
        """Take nothing more and work off what can be; False when the time was over first. The loops keep running.

        Where other nodes go on, what is being sent is seen through, and all else is left to them.
        """
        await self._close_sources()
        if self._neighbours is not None and not self._neighbours.alone:
            self._leaving = True
            for courier in self._couriers.values():
                courier.rest(True)
        until = self._clock.monotonic() + timeout
        while not self._at_rest(until - self._clock.monotonic()):
            if self._clock.monotonic() >= until or self._supervisor.failed is not None:
                return False
            await self._clock.sleep(_GLANCE)
        return True

    async def stop(self) -> None:
        """End at once, in order: sources, loops, what is in hand, clients. What was being sent is checked at the next start."""
        await self._close_sources()
        await self._supervisor.stop()
        self._receiver.close()
        await self._answers.close()
        try:
            for courier in self._couriers.values():
                await courier.hand_back()
            if self._lifeline is not None:
                await self._lifeline.give_back()
            if self._neighbours is not None:
                await self._neighbours.leave()
        except Transient:
            pass  # the journal is away: the lifeline of the next start releases what we held
        finally:
            for courier in self._couriers.values():
                await courier.close()

    async def wait(self) -> None:
        """Until the engine is stopped; raises the bug that ended a loop, if one did. Then ``stop`` still has to be called."""
        await self._supervisor.wait()

    # ---- what others see

    def status(self) -> Status:
        """A snapshot from memory: costs nothing, asks nobody."""
        failed = self._supervisor.failed
        return Status(
            failed="" if failed is None else type(failed).__name__,
            backlog=dict(self._receiver.backlog),
            unanswered=self._receiver.waiting,
            paused=dict(self._receiver.paused),
            subscriptions={one.name: SubscriptionStatus(state=one.state, cursor=one.cursor) for one in self._subscribers},
            endpoints={
                name: EndpointStatus(breaker=one.breaker.state, in_hand=one.in_hand, in_the_air=one.in_the_air)
                for name, one in self._couriers.items()
            },
            nodes=self._neighbours.status() if self._neighbours is not None else None,
        )

    # ---- inside

    def _subscriber(self, subscription: Any, rng: random.Random) -> Subscriber:
        policy = policy_for(subscription.classification)
        planning = Planning(subscription, self._site.catalogue, self._answers)
        return self._following(subscription.name, planning.plan, subscription.to.name, (policy.first_retry, policy.max_retry), rng)

    def _following(self, name: str, plan: Plan, endpoint: str, retry: tuple[float, float], rng: random.Random) -> Subscriber:
        return Subscriber(
            name,
            plan,
            self._journal,
            endpoint=endpoint,
            first_retry=retry[0],
            max_retry=retry[1],
            clock=self._clock,
            rng=rng,
            notify=self._notify,
            planned=functools.partial(self._planned, endpoint),
            mine=functools.partial(self._mine, bell.subscriber(name)),
            gather=self._gather,
        )

    def _among(self, membership: Membership, shares: Mapping[str, Share]) -> Neighbours:
        neighbours = Neighbours(
            membership,
            membership.journal,
            self._sources,
            shares,
            clock=self._clock,
            accept=self._receiver.accept,
            rest=self._rest,
            changed=self._duties_changed,
            released=self._due_anywhere,
        )
        neighbours.hear(bell.TRANSLATOR, self._translator.wake)
        neighbours.hear(bell.COURIERS, self._wake_couriers)
        for subscriber in self._subscribers:
            neighbours.hear(bell.subscriber(subscriber.name), subscriber.wake)
        for name, courier in self._couriers.items():
            neighbours.hear(bell.courier(name), courier.wake)
        return neighbours

    async def _enrol(self) -> None:
        """A new subscription hears what happens from now on; sending it the past is an act of its own, never a side effect."""
        for subscriber in self._subscribers:
            lane = self._lanes.get(subscriber.name, "normal")
            subscriber.stands(await self._journal.enrol(subscriber.name, self._types[subscriber.name], lane=lane, start="now"))
        for position in await self._journal.positions():
            if position.waiting and position.subscription not in self._types:
                self._notify(SubscriptionOrphaned(subscription=position.subscription, waiting=position.waiting))

    async def _close_sources(self) -> None:
        if self._neighbours is not None:
            await self._neighbours.close_sources()
        while self._started:  # one that we were interrupted at is stopped again
            await self._started[-1].stop()
            self._started.pop()

    def _at_rest(self, left: float) -> bool:
        until = self._clock.now() + timedelta(seconds=left)
        return (
            not self._receiver.waiting
            and (self._leaving or (self._translator.idle and all(one.idle for one in self._subscribers)))
            and all(one.at_rest(until) for one in self._couriers.values())
        )

    # ---- work for the loops of this node, and of others

    def _mine(self, duty: str) -> bool:
        return self._neighbours is None or (self._neighbours.mine(duty) and not self._leaving)

    def _to_translate(self) -> AbstractSet[str] | None:
        """The interfaces that fall to this node. What the site does not declare is left to nodes that do, while there are any."""
        if self._neighbours is None or (self._neighbours.alone and not self._leaving):
            return None
        return frozenset(one.name for one in self._site.interfaces if self._mine(f"interface {one.name}"))

    def _ring(self, topic: str) -> None:
        if self._neighbours is not None:
            self._neighbours.ring(topic)

    def _received(self) -> None:
        self._translator.wake()
        if not all(self._mine(f"interface {one.name}") for one in self._site.interfaces):
            self._ring(bell.TRANSLATOR)

    def _translated(self, interfaces: Mapping[str, int], types: AbstractSet[str]) -> None:
        self._receiver.translated(interfaces)
        for subscriber in self._subscribers:
            if not types.isdisjoint(self._types[subscriber.name]):
                subscriber.wake()
                if not self._mine(topic := bell.subscriber(subscriber.name)):
                    self._ring(topic)

    def _planned(self, endpoint: str) -> None:
        self._wake_courier(endpoint)
        self._ring(bell.courier(endpoint))

    def _due_anywhere(self) -> None:
        self._wake_couriers()
        self._ring(bell.COURIERS)

    def _duties_changed(self) -> None:
        """Somebody came or went, or the lease is held again: what falls to this node now may have waited."""
        if self._neighbours is not None and self._neighbours.status().holds:
            self._supervisor.again()
        self._translator.wake()
        for subscriber in self._subscribers:
            subscriber.wake()
        self._wake_couriers()

    def _rest(self, endpoint: str, resting: bool) -> None:
        courier = self._couriers.get(endpoint)
        if courier is not None and not self._leaving:
            courier.rest(resting)

    def _wake_courier(self, endpoint: str) -> None:
        courier = self._couriers.get(endpoint)
        if courier is not None:
            courier.wake()

    def _wake_couriers(self) -> None:
        for courier in self._couriers.values():
            courier.wake()

    def _failing(self) -> None:
        """A loop met a bug: nobody may believe that messages are still taken care of."""
        self._receiver.close()
        for source in self._sources.values():
            source.pause()


def _fits(site: Site, sources: Mapping[str, Source], clients: Mapping[str, Client]) -> None:
    """Everything that does not fit together, at once."""
    problems: Sequence[str] = [
        *(f"source {name} has no interface: declare one, or drop the source" for name in sources if name not in site.sources),
        *(
            f"subscription {one.name} sends to {one.to.name}, which has no client: add it under [endpoints]"
            for one in site.subscriptions
            if one.to.name not in clients
        ),
    ]
    if problems:
        raise Bug("site-incomplete", "; ".join(problems))
