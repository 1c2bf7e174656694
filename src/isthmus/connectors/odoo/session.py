"""Session: calls to one Odoo under the target's budget, a deadline and the company's context."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from isthmus.connectors.odoo.faults import Fault, by_messages
from isthmus.connectors.odoo.transport import Transport
from isthmus.connectors.port import Budget, NoTurn
from isthmus.core.policy import Lane

_CONTEXT = {"lang": "en_US", "tz": "UTC", "tracking_disable": True, "mail_create_nosubscribe": True, "mail_auto_subscribe_no_notify": True}
"""English, because refusals of ``load`` are told apart by their words; UTC, because ``load`` reads times in the user's zone; no
chatter: the journal has the history, and chatter would keep every old value for every employee to read."""
_QUIET: dict[str, dict[str, object]] = {"calendar.event": {"no_mail_to_attendees": True, "dont_notify": True}}
_ONCE = {"mode": "update", "noupdate": True}
"""With these ``load`` makes what is absent and leaves alone what is there: as if a module were updated whose records are marked
as not to be updated. One call, atomic, and it answers the ids of both."""
_TRIES = 4

T = TypeVar("T")
Row = Sequence[str]


class Deadline:
    """What one ``send``, ``check`` or ``look``, which makes several calls, is granted: the time for one call, until when it may begin
    new ones, and the lane in which they wait for their turn.
    """

    def __init__(self, call: float, lane: Lane, *, calls: float = 1.0) -> None:
        self.lane: Lane = lane
        self._call = call
        self._end = time.monotonic() + call * calls

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    @property
    def next_call(self) -> float:
        return min(self._call, self.left)


@asynccontextmanager
async def turn(budget: Budget, deadline: Deadline) -> AsyncIterator[None]:
    """Hold this around each call to Odoo. Raises ``Fault`` where its turn does not come."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(budget.call(deadline.lane))
        except NoTurn as late:
            raise Fault("retry", late.code, late.detail, untried=True) from None
        yield


class Session:
    def __init__(self, transport: Transport, budget: Budget, *, company: int, timeout: float, rng: random.Random) -> None:
        self.transport = transport
        self._budget = budget
        self._company = company
        self._timeout = timeout
        self._rng = rng

    async def read(
        self,
        model: str,
        method: str,
        deadline: Deadline,
        ids: Sequence[int] | None = None,
        /,
        context: Mapping[str, object] = {},
        **named: object,
    ) -> Any:
        """A call without effect: what is unknown may simply be asked again."""
        try:
            return await self._call(model, method, deadline, ids=ids, context=context, named=named)
        except Fault as fault:
            if fault.verdict == "unknown":
                raise Fault("retry", fault.code, fault.detail, after=fault.after) from None
            raise

    async def write(
        self,
        model: str,
        method: str,
        deadline: Deadline,
        ids: Sequence[int] | None = None,
        /,
        context: Mapping[str, object] = {},
        **named: object,
    ) -> Any:
        """A call with an effect."""
        return await self._until_free(lambda: self._call(model, method, deadline, ids=ids, context=context, named=named), deadline)

    async def load(self, model: str, fields: Sequence[str], rows: Sequence[Row], deadline: Deadline, *, once: bool) -> list[int]:
        """Make (and, unless ``once``, update) records by external id, all or none; the ids of all in order."""
        named = {"fields": list(fields), "data": [list(row) for row in rows]}

        async def load() -> list[int]:
            answer = await self._call(model, "load", deadline, ids=None, context=_ONCE if once else {}, named=named)
            ids = answer.get("ids") if isinstance(answer, dict) else None
            if isinstance(ids, list) and ids and all(isinstance(one, int) and one for one in ids):
                return ids
            raise by_messages(answer.get("messages") or [] if isinstance(answer, dict) else [], f"{model}/load")

        return await self._until_free(load, deadline)

    async def _until_free(self, call: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """A lost race had no effect: try again at once, a few times, while there is time; then it is the policy's turn."""
        for attempt in range(1, _TRIES):
            try:
                return await call()
            except Fault as fault:
                pause = self._rng.uniform(0.02, 0.1) * 2**attempt
                if fault.code != "busy" or deadline.left < pause + 1.0:
                    raise
                await asyncio.sleep(pause)
        return await call()

    async def _call(
        self,
        model: str,
        method: str,
        deadline: Deadline,
        *,
        ids: Sequence[int] | None,
        context: Mapping[str, object],
        named: Mapping[str, object],
    ) -> Any:
        whole = {**_CONTEXT, "allowed_company_ids": [self._company], **_QUIET.get(model, {}), **context}
        async with turn(self._budget, deadline):
            if (left := min(deadline.next_call, self._timeout)) <= 0:
                raise Fault(
                    "retry",
                    "no-time-left",
                    f"{model}/{method}: the attempt's time was used up before this call; nothing was sent",
                    untried=True,
                )
            return await self.transport.call(model, method, named, ids=ids, context=whole, timeout=left)
