"""The watcher of a folder: hands over what is complete, and moves it away once all its messages are durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from isthmus.connectors.file.contents import Contents
from isthmus.connectors.file.inbox import Flaw, Inbox, Taken
from isthmus.connectors.file.readiness import Readiness
from isthmus.connectors.file.row_taker import Outcome, RowTaker
from isthmus.connectors.file.settings import FileSource
from isthmus.connectors.file.window import Window
from isthmus.connectors.port import Accept, Examine, Reply, Said
from isthmus.core.contract import Violation
from isthmus.core.failure import Bug, Invalid, Rejected
from isthmus.formats.rows.declared import Declared
from isthmus.formats.rows.row_file import RowFile

R = TypeVar("R")


class _Taking:
    """One file whose messages are on their way through the receiver."""

    __slots__ = ("busy", "handed", "outcome", "refusals", "remarks", "taken", "whole")

    def __init__(self, taken: Taken) -> None:
        self.taken = taken
        self.handed = 0
        self.whole = False
        """Whether its last message was handed over."""
        self.busy = False
        self.refusals: list[bytes] = []
        self.remarks: tuple[str, ...] = ()
        """What is wrong with the file as a batch, such as a count; its messages are taken all the same."""
        self.outcome: Outcome | None = None
        """Of a file of rows."""


class FolderWatch:
    """Files one after the other in their order, read as a stream; at most a window of messages without an answer."""

    exclusive = True
    """Two nodes would take the same file."""

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
        self._window = Window(settings.window)
        self._examine: Examine | None = None
        self._names: set[str] = set()
        """Claimed and not yet moved on."""
        self._answered: deque[_Taking] = deque()
        self._moves = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Files seen at the last look that were not complete."""
        return self._readiness.waiting

    def examine_with(self, examine: Examine) -> None:
        self._examine = examine

    async def start(self, accept: Accept) -> None:
        self._accept = accept
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=f"file-{self.name}")
        self._stopping.clear()
        try:
            await self.apart(self._inbox.prepare)
        except OSError as error:
            self._threads.shutdown()
            raise Rejected(
                "folder", f"sources.{self.name}.folder: {self._settings.folder} cannot be made ({error.strerror}): let our user write there"
            ) from error
        self._tasks = [
            asyncio.create_task(self._watch(), name=f"watch {self.name}"),
            asyncio.create_task(self._move(), name=f"move {self.name}"),
        ]

    def pause(self) -> None:
        self._window.pause(True)

    def resume(self) -> None:
        self._window.pause(False)

    async def stop(self) -> None:
        self._stopping.set()
        self._window.end()
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
            await self.rest()

    async def _round(self) -> None:
        for one in await self.apart(self._inbox.left_over):
            if one.name not in self._names and not self._stopping.is_set():
                await self._take(one.name)
        sightings = await self.apart(self._inbox.look)
        for one in self._readiness.complete(sightings, asyncio.get_running_loop().time()):
            await self._window.has_room()
            if self._stopping.is_set():
                return
            if one.name not in self._names and await self.apart(lambda one=one: self._inbox.claim(one)):  # type: ignore[misc]
                await self._take(one.name)

    async def _take(self, name: str) -> None:
        await self._window.has_room()
        if self._stopping.is_set():
            return
        read = await self.apart(lambda: self._inbox.read(name))
        if read is None:
            self.counts["changing"] += 1
            return
        if isinstance(read, Flaw):
            self.counts[read.code] += 1
            await self.apart(lambda: self._inbox.reject(name, read))
            return
        self._names.add(name)
        taking = _Taking(read)
        try:
            await self._hand_over(taking)
        except Invalid as failure:
            flaw = Flaw(failure.code, failure.detail)
            self.counts[flaw.code] += 1
            await self.apart(lambda: self._inbox.reject(name, flaw))
            self._names.discard(name)

    async def _hand_over(self, taking: _Taking) -> None:
        """Raises ``Invalid`` where the file is none that can be taken apart."""
        try:
            if self._settings.rows is not None:
                await self._rows(taking, self._settings.rows)
            else:
                await self._messages(taking)
        except OSError as error:
            self.counts[f"read-{error.errno}"] += 1
            taking.busy = True  # as when it was turned away: it is taken again
        taking.whole = True
        self._settle(taking)

    async def _messages(self, taking: _Taking) -> None:
        contents = Contents(taking.taken.path, "hl7" if self._settings.split == "hl7" else "")
        while bodies := await self.apart(contents.more):
            for body in bodies:
                if not await self.room():
                    taking.busy = True  # the rest waits in taking/ for the next start
                    return
                self.offer(taking, body, self._reply(taking))
        taking.remarks = contents.remarks

    async def _rows(self, taking: _Taking, rows: RowFile) -> None:
        taken = taking.taken
        declared = None if taken.totals is None else Declared.of_sidecar(taken.totals)
        taking.outcome = await RowTaker(_Way(self, taking), rows, taken.path, taken.digest, declared).take()
        taking.busy = taking.outcome is None

    def offer(self, taking: _Taking, body: bytes, reply: Reply) -> None:
        """Hand a message over."""
        accept, size = self._accept, len(body)
        if accept is None:
            raise Bug("not-started", f"source {self.name} hands messages over once it was started")
        taking.handed += 1
        self._window.hand_over(size)

        def answered(answer: bytes | None, said: Said) -> None:
            reply(answer, said)
            taking.handed -= 1
            self._window.answered(size)
            self._settle(taking)

        # The peer is no name: a sender may have put a patient's into it.
        accept(self.name, body, f"{self._settings.folder.name}/{taking.taken.digest[:12]}", answered)

    def _reply(self, taking: _Taking) -> Reply:
        def reply(answer: bytes | None, said: Said) -> None:
            if said == "busy":
                taking.busy = True
            elif said == "refused":
                taking.refusals.append(answer or b"refused; the journal has the reason\n")

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
                where = await self.apart(lambda: self._moved_on(taking))
            except OSError as error:
                self.counts[f"move-{error.errno}"] += 1  # as above: taken again at a later round
            else:
                if where != "done":
                    self.counts[where] += 1
                if taking.remarks:
                    self.counts["remarks"] += 1
        self._names.discard(name)

    def _moved_on(self, taking: _Taking) -> str:
        outcome = taking.outcome
        if outcome is None:
            return self._inbox.finish(taking.taken, taking.refusals, taking.remarks)
        return self._inbox.finish_rows(taking.taken, outcome.manifest, whole=outcome.whole)

    # ---- for takers of rows ------------------------------------------------------------------------------------------------------

    async def room(self) -> bool:
        """Wait until one more message may be handed over; False: we are stopping."""
        await self._window.has_room()
        return not self._stopping.is_set()

    async def rest(self) -> bool:
        """Wait until the next look; False: we are stopping."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._settings.every)
        return not self._stopping.is_set()

    def wrong(self, body: bytes) -> tuple[Violation, ...]:
        """What the receiver would find wrong with a message."""
        return () if self._examine is None else self._examine(self.name, body)

    async def apart(self, work: Callable[[], R]) -> R:
        """Run in the worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class _Way:
    """What the taker of one file needs of its watcher."""

    def __init__(self, watch: FolderWatch, taking: _Taking) -> None:
        self._watch = watch
        self._taking = taking

    def offer(self, body: bytes, reply: Reply) -> None:
        self._watch.offer(self._taking, body, reply)

    async def room(self) -> bool:
        return await self._watch.room()

    async def rest(self) -> bool:
        return await self._watch.rest()

    async def apart(self, work: Callable[[], R]) -> R:
        return await self._watch.apart(work)

    def wrong(self, body: bytes) -> tuple[Violation, ...]:
        return self._watch.wrong(body)
