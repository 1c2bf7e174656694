"""Documents: invoices and movements. Made once, finished by an act of Odoo's; an earlier attempt is taken up where it stopped.

    linked ──► made (absent ones only, all in one call) ──► read ──► judged ──► finished (all in one call) ──► read ──► judged

What is finished is never changed; what differs, or was cancelled by somebody, goes to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol

from msgspec import Struct

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.linking import Document, linked
from isthmus.connectors.odoo.loading import Loadable, load
from isthmus.connectors.odoo.references import References
from isthmus.connectors.odoo.session import Deadline, Session
from isthmus.connectors.odoo.work import Work, fail_all, open_ones


class Held(Struct, frozen=True):
    """A document as Odoo holds it."""

    state: str
    head: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]


class Verdicts(Struct, frozen=True):
    """What is said of one that cannot be settled."""

    changed: Fault
    """It is finished with other contents."""
    cancelled: Fault
    edited: Fault
    """It is not finished, and has other contents."""
    unfinished: Fault
    """Odoo said yes, but it is not finished."""


class Kind(Protocol[Document]):
    """What one kind of document is to Odoo."""

    model: str
    finished: str
    """The state in which it is."""
    verdicts: Verdicts

    async def rows(self, works: Sequence[Work[Document]], deadline: Deadline) -> list[Loadable[Work[Document]]]:
        """What ``load`` is given to make them."""
        ...

    async def read(self, ids: Sequence[int], deadline: Deadline) -> Mapping[int, Held]:
        """Those of them that are there."""
        ...

    def equal(self, work: Work[Document], held: Held) -> bool:
        """Does it hold what was sent?"""
        ...

    async def finish(
        self, works: Sequence[Work[Document]], held: Mapping[Work[Document], Held], deadline: Deadline
    ) -> Mapping[Work[Document], Fault]:
        """Bring them to their finished state; those that were refused."""
        ...


class Documents(Generic[Document]):
    def __init__(self, session: Session, references: References, batches: Batches, reads: Batches, kind: Kind[Document]) -> None:
        """``batches`` for what is written, ``reads`` for what is read: that is quick, so more goes into one call."""
        self._session = session
        self._references = references
        self._batches = batches
        self._reads = reads
        self._kind: Kind[Document] = kind

    async def settle(self, works: Sequence[Work[Document]], deadline: Deadline) -> None:
        """Give each an outcome; no two have the same key."""
        ready = await linked(works, self._references, deadline, make=True)
        await self._make(ready, deadline)
        held = await self._read(ready, deadline, written=True)
        if gone := [work for work in open_ones(ready) if work not in held]:
            for work in gone:
                self._references.forget(self._kind.model, work.xml_id)
            await self._make(gone, deadline)
            held |= await self._read(gone, deadline, written=True)
        drafts = [work for work in open_ones(ready) if self._judge(work, held.get(work), unchanged=True)]
        if drafts:
            await self._finish(drafts, held, deadline)

    async def check(self, work: Work[Document], deadline: Deadline) -> None:
        """Settle it if it is there and finished, or can never be; nothing is written."""
        model = self._kind.model
        work.id = self._references.known(model, work.xml_id) or await self._references.find(model, work.xml_id, deadline)
        if work.id and await linked([work], self._references, deadline, make=False):
            held = await self._read([work], deadline)
            if work in held:
                self._judge(work, held[work], unchanged=False)

    async def _make(self, works: Sequence[Work[Document]], deadline: Deadline) -> None:
        for work in works:
            work.id = self._references.known(self._kind.model, work.xml_id)

        def made(row: Loadable[Work[Document]], id: int) -> None:
            row.item.id = id
            self._references.remember(row.model, row.item.xml_id, id)

        rows = await self._kind.rows([work for work in works if not work.id], deadline)
        failed = await load(self._session, self._batches, rows, deadline, once=True, done=made)
        fail_all((row.item, fault) for row, fault in failed)

    async def _read(self, works: Iterable[Work[Document]], deadline: Deadline, *, written: bool = False) -> dict[Work[Document], Held]:
        found: dict[Work[Document], Held] = {}

        async def read(batch: Sequence[Work[Document]]) -> None:
            held = await self._kind.read([work.id for work in batch], deadline)
            found.update((work, held[work.id]) for work in batch if work.id in held)

        for work, fault in await self._reads.run([work for work in open_ones(works) if work.id], read):
            work.fail(fault, written=written)
        return found

    def _judge(self, work: Work[Document], held: Held | None, *, unchanged: bool) -> bool:
        """Settle what is not to be finished; true for one that is."""
        kind, verdicts = self._kind, self._kind.verdicts
        if held is None:
            work.fail(Fault("retry", "no-effect", f"{kind.model}/load: Odoo answered with an id, but there is no record"))
        elif held.state == "cancel":
            work.fail(verdicts.cancelled)
        elif not kind.equal(work, held):
            work.fail(verdicts.changed if held.state == kind.finished else verdicts.edited)
        elif held.state == kind.finished:
            work.deliver(held.state, unchanged=unchanged)
        else:
            return True
        return False

    async def _finish(self, works: Sequence[Work[Document]], held: Mapping[Work[Document], Held], deadline: Deadline) -> None:
        """What Odoo refuses on the way is looked at once more before it is believed: somebody else may have been faster."""
        failed = await self._kind.finish(works, held, deadline)
        after = await self._read(works, deadline, written=True)
        for work in open_ones(works):
            if self._judge(work, after.get(work), unchanged=False):
                work.fail(failed.get(work, self._kind.verdicts.unfinished))
