"""Translator: what was received becomes events; one commit for a batch, and other loops get their turn between slices.

Where nodes share the journal, each interface is translated by one of them at a time. If two do for a moment, the journal takes each
message from the first, and both read the oldest first, so no message gets before an older one.

A message that its translator cannot take is set aside with a state and a reason, and the others go on:

invalid   the translator found the sender's fault (``Invalid``); identifiers are kept, so the message can be found
failed    our bug; its owner is paged, and after the fix the message is reprocessed

A failed message does not hold those behind it. What orders messages is a property of events, and a message that cannot be
translated has none: to hold its interface would stop every patient for the sake of one. A reprocess later plans it with the
order of its own key, and deliveries are upserts under business keys, so late is harmless where wrong would not be.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from isthmus.core.contract import Violation
from isthmus.core.failure import Bug, Failure, Invalid
from isthmus.core.message import Message
from isthmus.core.plan import translate
from isthmus.core.site import Site
from isthmus.engine.clock import Clock
from isthmus.engine.telemetry import MessagesTranslated, Notify, TranslatorFailed
from isthmus.engine.wake import POLL, Wake, not_all
from isthmus.journals.port import Identifier, Stages, Translated

BATCH = 256
EVENTS = 1_024
"""Events in one commit: a message may be a hundred rows of a file, and 256 of them at once would be in memory."""
SLICE = 0.002
"""Seconds of pure work after which receivers and couriers get their turn: it bounds what translating adds to an ACK."""


class Translator:
    """``run`` is its loop; ``wake`` tells it that messages were kept; ``translated`` hears, after each commit, how many messages
    of each interface are done and which types of events there are.
    """

    def __init__(
        self,
        site: Site,
        journal: Stages,
        *,
        clock: Clock,
        notify: Notify,
        translated: Callable[[Mapping[str, int], AbstractSet[str]], None],
        share: Callable[[], AbstractSet[str] | None] = lambda: None,
        gather: float = 0.0,
    ) -> None:
        """``gather``: see ``Engine``. ``share``: the interfaces that this node is to translate now; None: all, also those that the site does not declare any more."""
        self._interfaces = {one.name: one for one in site.interfaces}
        self._journal = journal
        self._clock = clock
        self._notify = notify
        self._translated = translated
        self._share = share
        self._gather = gather
        self.wake = Wake(clock)

    @property
    def idle(self) -> bool:
        """Nothing waits for it, as far as it knows."""
        return self.wake.asleep

    async def run(self) -> None:
        while True:
            share = self._share()
            messages = () if share is not None and not share else await self._journal.untranslated(BATCH, share)
            if not messages:
                await self.wake.wait(POLL)
                continue
            more = not_all(messages, BATCH)
            waiting = deque(messages)
            del messages  # a message of 100 MB must not stay in memory once it is translated
            while waiting:
                done, results = await self._work(waiting)
                await self._journal.translated(results, self._clock.now())
                self._tell(done, results)
                del done, results
            if not more:
                if self._gather:
                    await self._clock.sleep(self._gather)
                await self.wake.wait(POLL)

    async def _work(self, waiting: deque[Message]) -> tuple[list[Message], list[Translated]]:
        """Takes from the front what goes into one commit: all, or as much as makes ``EVENTS``."""
        done: list[Message] = []
        results: list[Translated] = []
        begun, events = self._clock.monotonic(), 0
        while waiting and events < EVENTS:
            message = waiting.popleft()
            result = self.result(message)
            events += len(result.events)
            done.append(message)
            results.append(result)
            if self._clock.monotonic() - begun > SLICE:
                await asyncio.sleep(0)
                begun = self._clock.monotonic()
        return done, results

    def result(self, message: Message) -> Translated:
        """What becomes of one message; pure."""
        interface = self._interfaces.get(message.interface)
        try:
            if interface is None:
                raise Bug("interface-gone", f"interface {message.interface} is not declared any more; declare it again or rename it back")
            return Translated(message_id=message.id, events=translate(interface, message))
        except Invalid as failure:
            return Translated(
                message_id=message.id,
                state="invalid",
                reason=failure.code,
                detail=failure.detail,
                violations=(Violation("", failure.code, failure.detail),),
                identifiers=self._identifiers(message),
            )
        except Failure as failure:  # Transient and Rejected have no meaning in a pure function: bugs as well
            return Translated(message_id=message.id, state="failed", reason=failure.code, detail=failure.detail)

    def _identifiers(self, message: Message) -> tuple[Identifier, ...]:
        try:
            spoken = self._interfaces[message.interface].contract.format
            return spoken.identifiers(spoken.open(message.body))
        except Invalid:
            return ()

    def _tell(self, messages: Sequence[Message], results: Sequence[Translated]) -> None:
        states = Counter(result.state for result in results)
        types = {event.type for result in results for event in result.events}
        events = sum(len(result.events) for result in results)
        self._translated(Counter(message.interface for message in messages), types)
        self._notify(MessagesTranslated(translated=states["translated"], invalid=states["invalid"], failed=states["failed"], events=events))
        failed: dict[tuple[str, str], list[Translated]] = {}
        for message, result in zip(messages, results, strict=True):
            if result.state == "failed":
                failed.setdefault((message.interface, result.reason), []).append(result)
        for (interface, code), those in failed.items():
            first = those[0]
            self._notify(
                TranslatorFailed(interface=interface, code=code, detail=first.detail, message_id=first.message_id, messages=len(those))
            )
