"""What has to be tidied between commits: the rest of a checkpoint, and the locator's runs.

The writer's thread says after each commit that something is due; the work itself is done by tasks of the event loop that hand the
writer small pieces, so that nobody waits long behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path

from isthmus.core.failure import Failure
from isthmus.journals.sqlite import merging
from isthmus.journals.sqlite.checkpointer import Checkpointer, copy
from isthmus.journals.sqlite.merging import Merge
from isthmus.journals.sqlite.readers import Readers
from isthmus.journals.sqlite.session import Session
from isthmus.journals.sqlite.writer import Writer

ENOUGH = 60_000
"""Fresh entries from which on they are written as a run."""

_Work = Callable[[], Coroutine[None, None, None]]
_Size = tuple[int, int]
"""Family and size of runs."""


class Tidier:
    def __init__(self, path: Path, session: Session, writer: Writer, readers: Readers, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._writer = writer
        self._readers = readers
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._merging: set[_Size] = set()
        self._writing = False
        self._ends = False
        self._checkpointer = Checkpointer(path, partial(self._soon, self._copy_rest))

    def start(self) -> None:
        """On the event loop, once the writer works: what the last process left half done."""
        self._run(self._take_up)

    def after_commit(self) -> None:
        """In the writer's thread."""
        self._checkpointer.after_commit()
        if not self._writing and self._session.fresh.ids.count + self._session.fresh.identifiers.count > ENOUGH:
            self._writing = True
            self._soon(self._write_fresh)

    async def end(self) -> None:
        """What is under way is left as it is; it goes on after the next opening."""
        self._ends = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def checkpoint(self) -> None:
        """Carry over what is in the log by now, aside from commits. Blocks; not for the event loop."""
        self._checkpointer.copy_now()

    def close(self) -> None:
        """Blocks until the checkpointer's thread has ended."""
        self._checkpointer.close()

    def _soon(self, work: _Work) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends, and nothing has to be tidied
            self._loop.call_soon_threadsafe(self._run, work)

    def _run(self, work: _Work) -> None:
        if self._ends:
            return
        task = self._loop.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: _Work) -> None:
        """The journal is being closed, or the disk is full: commits say so, and the next one asks for the work again."""
        with suppress(Failure):
            await work()

    async def _copy_rest(self) -> None:
        try:
            await self._writer.do(lambda session: copy(session.connection), alone=True)
        finally:
            self._checkpointer.finished()

    # ---- the locator

    async def _write_fresh(self) -> None:
        try:
            await self._writer.do(merging.write_fresh)
        finally:
            self._writing = False
        await self._merge_what_is_enough()

    async def _merge_what_is_enough(self) -> None:
        for size in await self._readers.do(merging.enough):
            if size not in self._merging:
                self._run(partial(self._merge, size))

    async def _merge(self, size: _Size, merge: Merge | None = None) -> None:
        """All merges of runs of one size, one after the other; ``merge`` has begun already."""
        self._merging.add(size)
        try:
            while merge := merge or await self._writer.do(partial(merging.begin, family=size[0], bits=size[1])):
                await self._go_on(merge)
                merge = None
        finally:
            self._merging.discard(size)

    async def _go_on(self, merge: Merge) -> None:
        while not merge.finished:
            step = await self._readers.do(partial(merging.next_step, merge=merge))
            await self._writer.do(partial(merging.take, merge=merge, step=step))
            merging.taken(merge, step)
        await self._writer.do(partial(merging.finish, merge=merge))
        await self._merge_what_is_enough()
        for number, bits in await self._readers.do(merging.gone):
            if number in merge.sources:
                await self._drop(number, bits)

    async def _drop(self, number: int, bits: int) -> None:
        for page in range(0, 1 << bits, merging.DROPPED):
            await self._writer.do(partial(merging.drop, number=number, bits=bits, page=page))

    async def _take_up(self) -> None:
        for merge in await self._readers.do(merging.under_way):
            self._run(partial(self._merge, (merge.family, merge.source_bits), merge))
        for number, bits in await self._readers.do(merging.gone):
            await self._drop(number, bits)
        await self._merge_what_is_enough()
        for sieve in self._session.sieves:
            for number, bits in sieve.unknown():
                sieve.prints[number] = await self._readers.do(partial(merging.read_prints, number=number, bits=bits))
