"""The systems around a practice site, as real servers on loopback: Odoo, laboratory, clinicians' portal."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Literal

from isthmus.app.practice.faults import Faults
from isthmus.connectors.http.practice import PracticePortal, Respond
from isthmus.connectors.mllp.practice import HangUp, PracticeReceiver, Reaction, Say
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.connectors.odoo.practice.trouble import Kind

LATE = 0.5
"""Seconds."""
_WRITES = frozenset({"load", "action_post", "button_validate"})


class Surroundings:
    """Started systems; ``environment`` is the configuration that points a site at them."""

    def __init__(self, odoo: PracticeOdoo, lab: PracticeReceiver, portal: PracticePortal) -> None:
        self.odoo = odoo
        self.lab = lab
        self.portal = portal

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ISTHMUS_ODOO_KEY": self.odoo.key,
            "ISTHMUS__ENDPOINTS__ODOO__URL": self.odoo.url,
            "ISTHMUS__ENDPOINTS__ODOO__DATABASE": self.odoo.database,
            "ISTHMUS__ENDPOINTS__ODOO__CALLS_PER_SECOND": "500",
            "ISTHMUS__ENDPOINTS__LAB__PORT": str(self.lab.port),
            "ISTHMUS__ENDPOINTS__PORTAL__URL": self.portal.url,
        }

    def misbehave(self, faults: Faults, rng: Random) -> None:
        """From now on they are late, or break off after they have acted, as often as the faults say."""

        def drawn() -> Literal["unheard", "late", ""]:
            chance = rng.random()
            return "unheard" if chance < faults.unheard else "late" if chance < faults.unheard + faults.late else ""

        reactions: dict[str, Reaction] = {"unheard": HangUp(), "late": Say(delay=LATE), "": Say()}
        self.lab.behave = lambda _: reactions[drawn()]
        responses = {"unheard": Respond(hang_up=True), "late": Respond(delay=LATE), "": Respond()}
        self.portal.behave = lambda _: responses[drawn()]
        self.odoo.trouble.seconds = LATE
        kinds: dict[str, Kind | None] = {"unheard": "drops", "late": "slow", "": None}
        self.odoo.trouble.otherwise = lambda call: kinds[drawn()] if call.method in _WRITES else None

    def duplicated(self) -> dict[str, int]:
        """Effects that are there more often than they were meant, by endpoint, counted in the systems themselves."""
        return {
            "odoo": sum(self.odoo.unnamed(model) for model in ("account.move", "stock.picking", "project.task", "calendar.event")),
            "lab": _repeated(message.split(b"|", 10)[9] for message in self.lab.effects),
            "portal": _repeated(request.key.encode() for request in self.portal.effects),
        }


@asynccontextmanager
async def surroundings() -> AsyncIterator[Surroundings]:
    """All three, each on a free port, for as long as the block runs."""
    async with AsyncExitStack() as stack:
        odoo = await stack.enter_async_context(PracticeOdoo())
        lab, portal = PracticeReceiver(), PracticePortal()
        await lab.start()
        stack.push_async_callback(lab.stop)
        await portal.start()
        stack.push_async_callback(portal.stop)
        yield Surroundings(odoo, lab, portal)


def _repeated(keys: Iterable[bytes]) -> int:
    return sum(count - 1 for count in Counter(keys).values())
