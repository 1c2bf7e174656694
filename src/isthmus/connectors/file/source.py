"""The watcher of a folder: hands over what is complete, and moves it away once all its messages are durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from isthmus.connectors.answer import what_it_says
from isthmus.connectors.file.inbox import Flaw, Inbox, Taken
from isthmus.connectors.file.readiness import Readiness
from isthmus.connectors.file.settings import FileSource
from isthmus.connectors.port import Accept, Reply
from isthmus.core.failure import Rejected
from isthmus.formats.hl7v2 import split

R = TypeVar("R")


class _Taking:
    """One file whose messages are on their way through the receiver."""

    __slots__ = ("busy", "handed", "refusals", "remarks", "taken", "whole")

    def __init__(self, taken: Taken) -> None:
        self.taken = taken
        self.handed = 0
        self.whole = False
        """Whether its last message was handed over."""
        self.busy = False
        self.refusals: list[bytes] = []
        self.remarks: list[str] = []
        """What is wrong with the file as a batch, such as a count; its messages are taken all the same."""


class FolderWatch:
    """Files one after the other in their order; at most ``window`` messages without an answer."""

    def __init__(self, name: str, settings: FileSource) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        """Reason codes of files that were not taken, for telemetry."""
        self._settings = settings
        self._inbox = Inbox(settings.folder, settings.max_bytes)
        self._readiness = Readiness(settings)
        self._accept: Accept | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._room = asyncio.Event()
        self._paused = False
        self._unanswered = 0
        self._names: set[str] = set()
        """Claimed and not yet moved on."""
        self._answered: deque[_Taking] = deque()
        self._moves = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Files seen at the last look that were not complete."""
        return self._readiness.waiting

    async def start(self, accept: Accept) -> None:
        self._accept = accept
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=f"file-{self.name}")
        self._stopping.clear()
        try:
            await self._apart(self._inbox.prepare)
        except OSError as error:
            self._threads.shutdown()
            raise Rejected(
                "folder", f"sources.{self.name}.folder: {self._settings.folder} cannot be made ({error.strerror}): let our user write there"
            ) from error
        self._open_room()
        self._tasks = [
            asyncio.create_task(self._watch(), name=f"watch {self.name}"),
            asyncio.create_task(self._move(), name=f"move {self.name}"),
        ]

    def pause(self) -> None:
        self._paused = True
        self._open_room()

    def resume(self) -> None:
        self._paused = False
        self._open_room()

    async def stop(self) -> None:
        self._stopping.set()
        self._room.set()
        tasks, self._tasks = self._tasks, []
        if not tasks:
            return
        watch, move = tasks
        await watch
        self._moves.set()
        await move
        if self._threads is not None:
            self._threads.shutdown()

    # ---- taking ------------------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Each round: first what is left in ``taking/`` and not on its way, then what is complete in the folder."""
        while not self._stopping.is_set():
            try:
                await self._round()
            except OSError as error:
                self.counts[f"folder-{error.errno}"] += 1  # a share that is away comes back; nothing is lost meanwhile
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._settings.every)

    async def _round(self) -> None:
        for one in await self._apart(self._inbox.left_over):
            if one.name not in self._names and not self._stopping.is_set():
                await self._take(one.name)
        sightings = await self._apart(self._inbox.look)
        for one in self._readiness.complete(sightings, asyncio.get_running_loop().time()):
            await self._has_room()
            if self._stopping.is_set():
                return
            if one.name not in self._names and await self._apart(lambda one=one: self._inbox.claim(one)):  # type: ignore[misc]
                await self._take(one.name)

    async def _take(self, name: str) -> None:
        await self._has_room()
        if self._stopping.is_set():
            return
        read = await self._apart(lambda: self._inbox.read(name))
        if read is None:
            self.counts["changing"] += 1
            return
        if isinstance(read, Flaw):
            self.counts[read.code] += 1
            await self._apart(lambda: self._inbox.reject(name, read))
            return
        self._names.add(name)
        taking = _Taking(read)
        await self._hand_over(taking, await self._apart(lambda: self._messages(taking)))

    async def _hand_over(self, taking: _Taking, messages: Sequence[bytes]) -> None:
        accept = self._accept
        if accept is None:
            return
        peer = f"{self._settings.folder.name}/{taking.taken.digest[:12]}"  # no name: a sender may have put a patient's into it
        for body in messages:
            await self._has_room()
            if self._stopping.is_set():
                taking.busy = True  # the rest waits in taking/ for the next start
                break
            taking.handed += 1
            self._unanswered += 1
            self._open_room()
            accept(self.name, body, peer, self._reply(taking))
        taking.whole = True
        self._settle(taking)

    def _messages(self, taking: _Taking) -> tuple[bytes, ...]:
        """What the file holds. One in which no message is found is handed over as it is, so that the journal tells of it."""
        content = taking.taken.content
        if self._settings.split != "hl7":
            return (content,)
        batch = split(content)
        taking.remarks = [f"{one.where}: {one.cure}" for one in batch.violations]
        return batch.messages or (content,)

    def _reply(self, taking: _Taking) -> Reply:
        def reply(answer: bytes | None, taken: bool) -> None:
            said = what_it_says(answer, taken)
            if said == "busy":
                taking.busy = True
            elif said == "refused":
                taking.refusals.append(answer or b"refused; the journal has the reason\n")
            taking.handed -= 1
            self._unanswered -= 1
            self._open_room()
            self._settle(taking)

        return reply

    def _settle(self, taking: _Taking) -> None:
        if taking.whole and not taking.handed:
            self._answered.append(taking)
            self._moves.set()

    # ---- moving on ---------------------------------------------------------------------------------------------------------------

    async def _move(self) -> None:
        """Ends once it is told to stop and every file that was begun has been answered and moved."""
        while self._names or not self._stopping.is_set():
            await self._moves.wait()
            self._moves.clear()
            for _ in range(len(self._answered)):
                await self._finish(self._answered.popleft())

    async def _finish(self, taking: _Taking) -> None:
        name = taking.taken.seen.name
        if taking.busy:
            self.counts["busy"] += 1  # it stays in taking/ and is handed over again; what was taken of it is known by then
        else:
            try:
                where = await self._apart(lambda: self._inbox.finish(taking.taken, taking.refusals, taking.remarks))
            except OSError as error:
                self.counts[f"move-{error.errno}"] += 1  # as above: taken again at a later round
            else:
                if where != "done":
                    self.counts[where] += 1
                if taking.remarks:
                    self.counts["remarks"] += 1
        self._names.discard(name)

    async def _has_room(self) -> None:
        await self._room.wait()

    def _open_room(self) -> None:
        if self._stopping.is_set() or (not self._paused and self._unanswered < self._settings.window):
            self._room.set()
        else:
            self._room.clear()

    async def _apart(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
