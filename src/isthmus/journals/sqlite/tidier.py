"""What has to be tidied between commits: the rest of a checkpoint, and fresh entries that belong into the locator.

The writer's thread says after each commit that something is due; the work itself is done by tasks of the event loop that hand the
writer small pieces, so that nobody waits long behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

from isthmus.core.failure import Failure
from isthmus.journals.sqlite.checkpointer import Checkpointer, copy
from isthmus.journals.sqlite.locator import ENOUGH, SLICE, Entry, Fresh
from isthmus.journals.sqlite.session import Session
from isthmus.journals.sqlite.writer import Writer


class Tidier:
    def __init__(self, path: Path, writer: Writer, fresh: Fresh, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._fresh = fresh
        self._loop = loop
        self._running: dict[Literal["merge", "checkpoint"], asyncio.Task[None]] = {}
        self._merging = False
        self._ends = False
        self._checkpointer = Checkpointer(path, partial(self._soon, "checkpoint"))

    def after_commit(self) -> None:
        """In the writer's thread."""
        self._checkpointer.after_commit()
        if not self._merging and self._fresh.count > ENOUGH:
            self._merging = True
            self._soon("merge")

    async def end(self) -> None:
        """What is under way is left as it is; it goes on after the next opening."""
        self._ends = True
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def close(self) -> None:
        """Blocks until the checkpointer's thread has ended."""
        self._checkpointer.close()

    def _soon(self, what: Literal["merge", "checkpoint"]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends, and nothing has to be tidied
            self._loop.call_soon_threadsafe(self._start, what)

    def _start(self, what: Literal["merge", "checkpoint"]) -> None:
        if not self._ends:
            work: Coroutine[None, None, None] = self._merge() if what == "merge" else self._copy_rest()
            self._running[what] = self._loop.create_task(work)

    async def _copy_rest(self) -> None:
        try:
            with suppress(Failure):  # the journal is being closed
                await self._writer.do(lambda session: copy(session.connection), alone=True)
        finally:
            self._checkpointer.finished()

    async def _merge(self) -> None:
        """Sort the fresh entries into the locator. Cut short anywhere, it begins anew: entries stay in their runs until all are in."""
        try:
            with suppress(Failure):  # the disk is full, or the like: commits say so, and the next one asks for a merge again
                last, entries = await self._writer.do(_to_merge, alone=True)
                for start in range(0, len(entries), SLICE):
                    await self._writer.do(partial(_merge_slice, entries=entries[start : start + SLICE]))
                await self._writer.do(lambda session: session.run("drop_runs", last))
                await self._writer.do(partial(_merged, last=last), alone=True)
        finally:
            self._merging = False


def _to_merge(session: Session) -> tuple[int, list[Entry]]:
    row = session.row("last_run")
    return (row[0] if row else 0), session.fresh.sorted()


def _merge_slice(session: Session, entries: list[Entry]) -> None:
    session.many("merge", entries)


def _merged(session: Session, last: int) -> None:
    session.fresh.merged([run for (run,) in session.rows("runs_after", last)])
