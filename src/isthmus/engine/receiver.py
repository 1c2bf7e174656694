"""Receiver: takes messages from every source, keeps them durably, and only then acknowledges.

Everything that arrives while a commit is under way is the next commit, so the price of an fsync is shared by all who wait
for it. Handing a message over costs a function call: no task, no future, no wait.

When the journal cannot take a batch, sources are paused and the batch is tried again for a few seconds (keeping it twice is
harmless: the second time finds duplicates). After that every sender of the batch is answered ``busy`` (AR, 503), never AA;
the sender keeps the message and sends it again. Nothing that is only in memory was ever acknowledged.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from isthmus.connectors.port import Reply, Said, Source
from isthmus.core.contract import Violation
from isthmus.core.failure import Transient
from isthmus.core.ids import derive_id
from isthmus.core.policy import policy_for
from isthmus.core.site import Site
from isthmus.engine.backoff import pause
from isthmus.engine.backpressure import Backpressure
from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import (
    AnswerFailed,
    Busy,
    MessagesReceived,
    MessagesTurnedAway,
    Notify,
    ReceptionFailed,
    SourceDropped,
    SourceResumed,
    SourceSlowed,
)
from isthmus.engine.triage import Triage
from isthmus.engine.wake import POLL, Wake
from isthmus.journals.port import Accepted, Arrival, Intake

BATCH = 512
"""Messages in one commit: more would make the first of them wait for the last."""
TOGETHER = 64
"""Messages after which the translator is woken while more are waiting for their commit: it takes many at once, or has nothing to wait for."""
IN_MEMORY = 64 * 1024 * 1024
"""Bytes that may wait for a commit; beyond, senders are told to come back. Whatever its size, one more is taken below."""
PATIENCE = 5.0
"""Seconds for which a batch is tried again while the journal is away; then its senders are answered ``busy``."""

_TOLD_ELSEWHERE = frozenset({"busy", "done", "idle", "refused", "remarks"})
"""Codes of sources that are no loss, or that the receiver has told itself."""


class Receiver:
    """``accept`` is handed to the sources; ``run`` is its loop; ``received`` is called after each commit that kept something."""

    def __init__(
        self,
        site: Site,
        journal: Intake,
        sources: Mapping[str, Source],
        *,
        clock: Clock,
        rng: random.Random,
        notify: Notify,
        received: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._sources = sources
        self._clock = clock
        self._rng = rng
        self._notify = notify
        self._received = received
        self._triage = Triage(site, self._stumbled)
        self._pressure = Backpressure(
            {one.name: policy_for(one.classification).max_backlog for one in site.interfaces},
            {one.name: one.source for one in site.interfaces},
        )
        self._wake = Wake(clock)
        self._waiting: list[tuple[Arrival, Reply]] = []
        self._bytes = 0
        self._turned_away: Counter[tuple[str, Busy]] = Counter()
        self._paused: dict[str, str] = {}
        self._journal_away = False
        self._seen: dict[str, Counter[str]] = {}
        self._fresh = 0
        """Messages that were kept since the translator was woken."""
        self._closed = False
        self._second, self._stamp = -1, ""

    # ---- what others see

    @property
    def backlog(self) -> Mapping[str, int]:
        """Messages that wait for their translator, by interface."""
        return self._pressure.waiting

    @property
    def waiting(self) -> int:
        """Messages that wait for a commit and for their answer."""
        return len(self._waiting)

    @property
    def paused(self) -> Mapping[str, str]:
        """Paused sources, and why."""
        return self._paused

    def translated(self, interfaces: Mapping[str, int]) -> None:
        """The translator has worked off so many messages of these interfaces."""
        for interface, messages in interfaces.items():
            self._pressure.add(interface, -messages)
        self._slow_down()

    def examine(self, source: str, body: bytes) -> tuple[Violation, ...]:
        """What would be wrong with a message, if it came; nothing is kept and nobody is answered."""
        return self._triage.violations(source, body)

    def close(self) -> None:
        """The engine ends: whatever is not durable by now is answered ``busy``, and so is what still comes."""
        self._closed = True
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        self._give_back(waiting)

    # ---- the way in

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:  # noqa: ARG002 - the port tells who; ids suffice here
        """Take one message; ``reply`` is called once, when it is durable or turned away."""
        if self._closed:
            self._turn_away(source, body, reply, "journal")
        elif self._bytes >= IN_MEMORY:
            self._turn_away(source, body, reply, "memory")
        elif self._pressure.any_refused and self._pressure.refuses(self._triage.interface_of(source, body)):
            self._turn_away(source, body, reply, "backlog")
        else:
            now = self._clock.now()
            second = int(now.timestamp())
            if second != self._second:
                self._second, self._stamp = second, now.strftime("%Y%m%d%H%M%S")
            self._waiting.append((self._triage.examine(source, body, now, self._stamp), reply))
            self._bytes += len(body)
            self._wake()

    # ---- the loop

    async def run(self) -> None:
        looked = float("-inf")
        while True:
            try:
                if self._clock.monotonic() - looked >= POLL:
                    await self._look()
                    looked = self._clock.monotonic()
                if not self._waiting:
                    await self._wake.wait(POLL)
                if self._waiting:
                    await self._keep_batch()
            except Transient as failure:
                self._away(True)
                await self._clock.sleep(failure.after or 1.0)
            self._tell_turned_away()

    async def _look(self) -> None:
        """What the journal says of the backlog: other nodes receive and translate too."""
        self._pressure.correct(await self._journal.backlog())
        self._away(False)
        self._tell_dropped()

    def _tell_dropped(self) -> None:
        """What sources counted since the last look; what became a message is told elsewhere."""
        for name, source in self._sources.items():
            seen, self._seen[name] = self._seen.get(name, Counter()), Counter(source.counts)
            for code, times in (self._seen[name] - seen).items():
                if code not in _TOLD_ELSEWHERE:
                    self._notify(SourceDropped(source=name, code=code, times=times))

    async def _keep_batch(self) -> None:
        batch = self._waiting[:BATCH]
        del self._waiting[:BATCH]
        self._bytes -= sum(len(arrival.message.body) for arrival, _ in batch)
        try:
            kept = await self._keep([arrival for arrival, _ in batch])
        except BaseException:
            behind, self._waiting, self._bytes = self._waiting, [], 0
            self._give_back([*batch, *behind])  # kept now, a sender's later message would overtake the one it has to send again
            raise
        for (arrival, reply), accepted in zip(batch, kept, strict=True):
            self._answer(arrival.message.source, reply, accepted.ack, said="taken" if arrival.state == "received" else "refused")
        self._count([arrival for arrival, _ in batch], kept)

    async def _keep(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        """Commit; while the journal is away, try again until patience ends."""
        begun, attempt = self._clock.monotonic(), 0
        while True:
            try:
                kept = await self._journal.receive(arrivals)
            except Transient as failure:
                attempt += 1
                wait = max(failure.after or 0.0, pause(attempt, first=0.1, longest=1.0, rng=self._rng))
                self._away(True)
                if self._clock.monotonic() + wait - begun > PATIENCE:
                    raise
                await self._clock.sleep(wait)
            else:
                self._away(False)
                return kept

    def _count(self, arrivals: Sequence[Arrival], kept: Sequence[Accepted]) -> None:
        fresh: Counter[str] = Counter()
        by_source: dict[str, Counter[str]] = {}
        for arrival, accepted in zip(arrivals, kept, strict=True):
            state = "duplicates" if accepted.duplicate else "accepted" if arrival.state == "received" else arrival.state
            by_source.setdefault(arrival.message.source, Counter())[state] += 1
            if state == "accepted":
                fresh[arrival.message.interface] += 1
        for interface, messages in fresh.items():
            self._pressure.add(interface, messages)
        self._slow_down()
        for source, states in by_source.items():
            self._notify(MessagesReceived(source=source, **states))
        self._fresh += fresh.total()
        if self._fresh and (self._fresh >= TOGETHER or not self._waiting):
            self._fresh = 0
            self._received()

    # ---- slowing down, turning away

    def _away(self, away: bool) -> None:
        """The journal could not be reached, or it could again."""
        self._journal_away = away
        self._slow_down()

    def _slow_down(self) -> None:
        """Pause and resume sources as the backlog and the journal demand."""
        slow: dict[str, str] = dict.fromkeys(self._pressure.slow_sources(), "backlog")
        if self._journal_away:
            slow.update(dict.fromkeys(self._sources, "journal"))
        for name, source in self._sources.items():
            if name in slow and name not in self._paused:
                self._paused[name] = slow[name]
                source.pause()
                self._notify(SourceSlowed(source=name, reason="journal" if self._journal_away else "backlog"))
            elif name in self._paused and name not in slow:
                del self._paused[name]
                source.resume()
                self._notify(SourceResumed(source=name))

    def _turn_away(self, source: str, body: bytes, reply: Reply, reason: Busy) -> None:
        self._turned_away[source, reason] += 1
        stamp = self._clock.now().strftime("%Y%m%d%H%M%S")
        ack = self._triage.answer(source, body, "busy", (), derive_id("busy", source, stamp, body), stamp)
        self._answer(source, reply, ack, said="busy")
        self._wake()

    def _give_back(self, batch: Sequence[tuple[Arrival, Reply]]) -> None:
        """None of these is durable: tell every sender to come back."""
        for arrival, reply in batch:
            self._turn_away(arrival.message.source, arrival.message.body, reply, "journal")
        self._tell_turned_away()

    def _tell_turned_away(self) -> None:
        counts, self._turned_away = self._turned_away, Counter()
        for (source, reason), messages in counts.items():
            self._notify(MessagesTurnedAway(source=source, reason=reason, messages=messages))

    def _answer(self, source: str, reply: Reply, ack: bytes, *, said: Said) -> None:
        """A source that fails to answer one sender must not cost the others of the batch their answers."""
        try:
            reply(ack or None, said)
        except Exception as error:  # noqa: BLE001 - the source's bug; its sender has no answer and will send again
            self._notify(AnswerFailed(source=source, error=type(error).__name__))

    def _stumbled(self, source: str, message_id: str, error: Exception) -> None:
        self._notify(ReceptionFailed(source=source, message_id=message_id or "unknown", error=type(error).__name__))
