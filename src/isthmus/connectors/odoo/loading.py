"""Loading: many records through ``load``, in batches of the same columns, each with its own id or its own fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.faults import Fault
from isthmus.connectors.odoo.session import Deadline, Session

T = TypeVar("T")


class Loadable(Generic[T]):
    """The rows of one record; ``item`` says whose they are."""

    __slots__ = ("columns", "item", "model", "rows")

    def __init__(self, item: T, model: str, columns: tuple[str, ...], rows: list[list[str]]) -> None:
        self.item = item
        self.model = model
        self.columns = columns
        self.rows = rows


async def load(
    session: Session,
    batches: Batches,
    records: Iterable[Loadable[T]],
    deadline: Deadline,
    *,
    once: bool,
    done: Callable[[Loadable[T], int], None],
) -> list[tuple[Loadable[T], Fault]]:
    """Make (and, unless ``once``, update) them; ``done`` is told each id. No two may have the same external id: Odoo would make both."""
    groups: dict[tuple[str, tuple[str, ...]], list[Loadable[T]]] = defaultdict(list)
    for record in records:
        groups[record.model, record.columns].append(record)
    failed: list[tuple[Loadable[T], Fault]] = []
    for (model, columns), group in groups.items():

        async def act(batch: Sequence[Loadable[T]], model: str = model, columns: tuple[str, ...] = columns) -> None:
            rows = [row for one in batch for row in one.rows]
            try:
                ids = await session.load(model, columns, rows, deadline, once=once)
            except Fault as fault:
                fault.rows = _records(batch, fault.rows)
                raise
            if len(ids) != len(batch):
                raise Fault("unknown", "strange-answer", f"{model}/load: {len(ids)} ids for {len(batch)} records")
            for one, record in zip(batch, ids, strict=True):
                done(one, record)

        failed += await batches.run(group, act)
    return failed


def _records(batch: Sequence[Loadable[T]], rows: tuple[int, ...]) -> tuple[int, ...]:
    """Which records the rows belong to."""
    owner = [index for index, one in enumerate(batch) for _ in one.rows]
    return tuple(sorted({owner[row] for row in rows if 0 <= row < len(owner)}))
