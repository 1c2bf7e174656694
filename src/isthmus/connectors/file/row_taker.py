"""RowTaker: hands a file of rows over, part by part, and at the end its manifest.

Rows go in their order, and memory is that of a window of parts. What the receiver turns away (busy) is handed over again, before anything
that stands behind it. A process that dies in the middle leaves the file where it is; taken again, it gives the same messages, so those
that were kept are known as duplicates, and so is the manifest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import msgspec
from msgspec import Struct

from isthmus.connectors.file.contents import PIECE
from isthmus.connectors.port import Reply, Said
from isthmus.core.contract import Violation
from isthmus.formats.rows.declared import Declared
from isthmus.formats.rows.manifest import Accounts
from isthmus.formats.rows.row_file import RowFile
from isthmus.formats.rows.stream import Piece, Stream, singles

R = TypeVar("R")
_SLICE = 0.002
"""Seconds of looking through rows after which others get their turn."""


class Way(Protocol):
    """What the watcher of the folder does for a taker."""

    async def room(self) -> bool:
        """Wait until one more message may be handed over; False: we are stopping."""
        ...

    def offer(self, body: bytes, reply: Reply) -> None:
        """Hand it over."""
        ...

    async def rest(self) -> bool:
        """Wait a while before what was turned away is handed over again; False: we are stopping."""
        ...

    async def apart(self, work: Callable[[], R]) -> R:
        """Run in the worker thread."""
        ...

    def wrong(self, body: bytes) -> tuple[Violation, ...]:
        """What the receiver would find wrong with a message; nothing where there is nobody to ask."""
        ...


class Outcome(Struct, frozen=True):
    """What came of a file."""

    manifest: bytes
    """As JSON."""
    whole: bool
    """Every row was taken, and what was declared agrees."""


class _Answer(Struct):
    violations: tuple[Violation, ...] = ()


class RowTaker:
    """Takes one file."""

    def __init__(self, way: Way, file: RowFile, path: Path, digest: str, declared: Declared | None) -> None:
        self._way = way
        self._file = file
        self._path = path
        self._digest = digest
        self._declared = declared
        self._accounts = Accounts(file.totals)
        self._again: list[Piece] = []
        """Turned away."""
        self._unanswered = 0
        self._answered = asyncio.Event()

    async def take(self) -> Outcome | None:
        """None: we are stopping, and the file has to be taken again. Raises ``Invalid`` where it is none that can be read."""
        stream = Stream(self._file, self._digest)
        flaws = await self._header_flaws()
        if flaws or self._file.all_or_nothing:
            refused = await self._survey(flaws)
            if refused is not None:
                return await self._conclude(*refused)
        async with aclosing(self._pieces(stream)) as found:
            async for piece in found:
                if not await self._hand_over(piece):
                    return None
        return await self._conclude(stream, self._accounts)

    # ---- looking first -----------------------------------------------------------------------------------------------------------

    async def _header_flaws(self) -> tuple[Violation, ...]:
        """What is wrong with the header: then no row could be taken, and one finding says so better than half a million."""
        stream = Stream(self._file, self._digest)
        async with aclosing(self._pieces(stream)) as found:
            async for _ in found:
                break
        return _errors(self._way.wrong(stream.header().body)) if stream.named else ()

    async def _survey(self, flaws: tuple[Violation, ...]) -> tuple[Stream, Accounts] | None:
        """Look through the whole file, handing nothing over; None where all of it may be taken."""
        stream, accounts = Stream(self._file, self._digest), Accounts(self._file.totals)
        stream.flaws += flaws
        clock = asyncio.get_running_loop().time
        begun = clock()
        async for piece in self._pieces(stream):
            for one in () if flaws else self._fitting(piece):
                label, wrong = one.part.label, _errors(self._way.wrong(one.body))
                if wrong:
                    accounts.refuse(label.row, label.rows, label.line, wrong)
            if clock() - begun > _SLICE:
                await asyncio.sleep(0)
                begun = clock()
        if not accounts.refused and not stream.all_flaws(self._declared):
            return None
        accounts.withhold(stream.rows)
        return stream, accounts

    # ---- handing over ------------------------------------------------------------------------------------------------------------

    async def _pieces(self, stream: Stream) -> AsyncGenerator[Piece, None]:
        file = await self._way.apart(lambda: self._path.open("rb"))
        try:
            while (found := await self._way.apart(lambda: _next(file, stream))) is not None:
                for piece in found:
                    yield piece
            for piece in stream.close():
                yield piece
        finally:
            file.close()

    def _fitting(self, piece: Piece) -> list[Piece]:
        """The part, or its rows one by one, where the receiver would refuse it for the sake of some of them."""
        several = piece.part.label.rows > 1 and not self._file.group_by
        return singles(piece, self._file) if several and _errors(self._way.wrong(piece.body)) else [piece]

    async def _hand_over(self, piece: Piece) -> bool:
        for one in self._fitting(piece):
            while await self._way.room() and self._again:  # what was turned away while we waited goes first
                if not await self._catch_up():
                    return False
            if not await self._way.room():
                return False
            self._offer(one)
        return True

    def _offer(self, piece: Piece) -> None:
        self._unanswered += 1
        self._way.offer(piece.body, self._reply(piece))

    def _reply(self, piece: Piece) -> Reply:
        def reply(answer: bytes | None, said: Said) -> None:
            label = piece.part.label
            if said == "busy":
                self._again.append(piece)
            elif label.row and said == "taken":
                self._accounts.take(label.rows, piece.sums)
            elif label.row:
                self._accounts.refuse(label.row, label.rows, label.line, _told(answer))
            self._unanswered -= 1
            self._answered.set()

        return reply

    async def _catch_up(self) -> bool:
        """All that was turned away, once more; until every answer is there and none is busy."""
        while True:
            while self._unanswered:
                self._answered.clear()
                await self._answered.wait()
            if not self._again:
                return True
            waiting, self._again = sorted(self._again, key=lambda one: one.part.label.row), []
            if not await self._way.rest():
                return False
            for index, piece in enumerate(waiting):
                if not await self._way.room():
                    return False
                if self._again:
                    self._again += waiting[index:]
                    break
                self._offer(piece)

    async def _conclude(self, stream: Stream, accounts: Accounts) -> Outcome | None:
        if not (await self._catch_up() and await self._way.room()):
            return None
        piece = stream.manifest(accounts, self._declared)
        self._offer(piece)
        if not await self._catch_up():
            return None
        return Outcome(piece.part.raw, whole=not accounts.refused and not stream.all_flaws(self._declared))


def _next(file: BinaryIO, stream: Stream) -> list[Piece] | None:
    """What the next bytes complete; None at the end."""
    data = file.read(PIECE)
    return stream.feed(data) if data else None


def _errors(violations: tuple[Violation, ...]) -> tuple[Violation, ...]:
    return tuple(one for one in violations if one.severity == "error")


def _told(answer: bytes | None) -> tuple[Violation, ...]:
    """What the answer says is wrong."""
    try:
        return msgspec.json.decode(answer or b"", type=_Answer).violations
    except msgspec.MsgspecError:
        return ()
